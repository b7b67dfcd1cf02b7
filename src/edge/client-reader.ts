/* Reads the client of a request: the peer of the connection, or the client that trusted proxies name. */
import type { IncomingMessage } from 'node:http';
import type { Log } from '../common/log.js';
import type { TLSSocket } from 'node:tls';
import { addressKey, SHARED_KEY } from '../common/ip-address.js';
import type { Client } from '../common/request-state.js';
import type { TrustFunction } from '../client-address/client-address.options.js';
import { hasForwardedHeaders, readClient } from '../client-address/read-client.js';
import { logLine } from '../common/log-text.js';

/** The symbol under which a connection caches its peer, which does not change. */
const PEER = Symbol('agent-security:peer');
type SocketWithPeer = TLSSocket & { [PEER]?: Client };

export class ClientReader {
  #warned = false;

  constructor(
    private readonly trustProxy: TrustFunction | undefined,
    private readonly log: Log,
  ) {}

  read(raw: IncomingMessage): Client {
    const socket = raw.socket as SocketWithPeer;
    const { trustProxy } = this;
    if (trustProxy === undefined) {
      if (!this.#warned && hasForwardedHeaders(raw.headers)) this.#warn(socket.remoteAddress);
      return (socket[PEER] ??= this.#read(raw, socket));
    }
    const client = this.#read(raw, socket);
    if (!this.#warned && hasForwardedHeaders(raw.headers) && !trustProxy(client.address, 0)) {
      const peer = readClient({ address: socket.remoteAddress, encrypted: false }, {}, undefined).address;
      if (peer === client.address) this.#warn(peer);
    }
    return client;
  }

  #read(raw: IncomingMessage, socket: SocketWithPeer): Client {
    const peer = { address: socket.remoteAddress, encrypted: socket.encrypted === true };
    const reading = readClient(peer, raw.headers, this.trustProxy);
    return { ...reading, key: addressKey(reading.address) ?? SHARED_KEY };
  }

  #warn(peer: string | undefined): void {
    this.#warned = true;
    this.log.warn(
      logLine`Forwarded headers (X-Forwarded-For or Forwarded) arrive from ${peer ?? 'a peer'}, which trustProxy (TRUST_PROXY) does not ` +
        'name. They are ignored: if it is your proxy, all its clients share one quota until you name it.',
    );
  }
}
