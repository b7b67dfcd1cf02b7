/* Reads the client of a request: the peer of the connection, or the client that trusted proxies name. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { addressKey, keyOfIPv4, readIPv4, SHARED_KEY } from '../common/ip-address.js';
import { type Log, logLine } from '../common/log-text.js';
import type { Client } from '../common/request-state.js';
import { FORWARDED_HEADERS, type ResolvedTrustProxy } from './client-address.options.js';
import {
  hasForwardedHeaders,
  readClient,
  readForwardedHosts,
  readScheme,
  type Reading,
} from './read-client.js';

/** The peer of a connection. It does not change, so a connection keeps it. */
interface Peer {
  readonly address: string | undefined;
  /** The peer as the client of its requests. */
  readonly client: Client;
  /** Whether it is a trusted proxy; `undefined` where a function of the app decides for each request. */
  readonly isTrusted: boolean | undefined;
}

const PEER = Symbol('agent-security:peer');
type SocketWithPeer = TLSSocket & { [PEER]?: Peer };

export class ClientReader {
  #warned = false;

  constructor(
    private readonly trustProxy: ResolvedTrustProxy | undefined,
    private readonly log: Log,
  ) {}

  read(raw: IncomingMessage): Client {
    const { headers } = raw;
    const socket = raw.socket as SocketWithPeer;
    const peer = (socket[PEER] ??= this.#readPeer(socket));
    const client = peer.isTrusted === false ? peer.client : this.#readForwarded(peer, headers);
    if (!this.#warned && hasForwardedHeaders(headers)) this.#warnOfHeaders(peer, client, headers);
    return client;
  }

  #readPeer(socket: SocketWithPeer): Peer {
    const { trustProxy } = this;
    const address = peerAddress(socket);
    const client = toClient(readClient({ address, encrypted: socket.encrypted === true }, {}, undefined));
    if (trustProxy === undefined) return { address, client, isTrusted: false };
    return {
      address,
      client,
      isTrusted: trustProxy.isFixed ? trustProxy.trusts(client.address, 0) : undefined,
    };
  }

  #readForwarded({ address, client, isTrusted }: Peer, headers: IncomingHttpHeaders): Client {
    const trustProxy = this.trustProxy!;
    const list = headers['x-forwarded-for'];
    // What most proxies send: one IPv4 address. Whether it is a proxy too makes no difference.
    if (isTrusted === true && typeof list === 'string' && headers.forwarded === undefined) {
      const bits = trustProxy.header === 'Forwarded' ? undefined : readIPv4(list);
      if (bits !== undefined) {
        const schemes = headers['x-forwarded-proto'];
        const hosts = headers['x-forwarded-host'];
        return {
          address: list,
          isFromTrustedProxy: true,
          key: keyOfIPv4(bits),
          secure: (schemes === undefined ? undefined : readScheme([], schemes)) ?? client.secure,
          forwardedHosts: hosts === undefined ? undefined : readForwardedHosts([], hosts),
        };
      }
    }
    return toClient(readClient({ address, encrypted: client.secure }, headers, trustProxy));
  }

  #warnOfHeaders(peer: Peer, { address }: Client, headers: IncomingHttpHeaders): void {
    if (address !== peer.client.address) return;
    const trust = this.trustProxy;
    if (!(peer.isTrusted ?? trust!.trusts(address, 0))) {
      this.#warned = true;
      this.log.warn(
        logLine`Forwarded headers (X-Forwarded-For or Forwarded) arrive from ${address || 'a peer'}, which trustProxy (TRUST_PROXY) does not ` +
          'name. They are ignored: if it is your proxy, all its clients share one quota until you name it.',
      );
    } else if (trust!.header === undefined && differ(address, headers, trust!)) {
      this.#warned = true;
      this.log.warn(
        logLine`A request from the proxy ${address} has X-Forwarded-For and Forwarded, and they name different clients. Neither counts, so that ` +
          'all clients of the proxy share one quota. Name the one that it writes in trustProxy.header, or let the proxy remove the other.',
      );
    }
  }
}

const toClient = ({ address, isFromTrustedProxy, secure, forwardedHosts }: Reading): Client => ({
  address,
  isFromTrustedProxy,
  key: addressKey(address) ?? SHARED_KEY,
  secure,
  forwardedHosts,
});

/** The peer's address. That of a Unix domain socket has none: it is a process of this machine. */
function peerAddress(socket: Socket & { readonly server?: Pick<Server, 'address'> }): string | undefined {
  return socket.remoteAddress ?? (typeof socket.server?.address?.() === 'string' ? '127.0.0.1' : undefined);
}

/** Whether the two headers name different clients. */
function differ(peer: string, headers: IncomingHttpHeaders, { trusts }: ResolvedTrustProxy): boolean {
  if (headers.forwarded === undefined || headers['x-forwarded-for'] === undefined) return false;
  const [one, other] = FORWARDED_HEADERS.map(header =>
    readClient({ address: peer, encrypted: false }, headers, { trusts, header }),
  );
  return one!.address !== other!.address;
}
