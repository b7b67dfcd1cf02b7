/* The head of a request: its client, and the checks of method, version, number of header lines and repeated singleton fields. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ResolvedTrustProxy } from '../client-address/client-address.options.js';
import { FORWARDED_HEADERS } from '../client-address/client-address.options.js';
import { hasForwardedHeaders, readClient } from '../client-address/read-client.js';
import type { EdgeCheck } from '../common/edge-stage.js';
import { requestPath } from '../common/http-request.js';
import { addressKey, SHARED_KEY } from '../common/ip-address.js';
import { type Log, logLine } from '../common/log-text.js';
import type { ProblemFields } from '../common/problem.js';
import type { Client } from '../common/request-state.js';

/**
 * Node silently drops header lines after the thousandth, so that a client could hide a second Host, an Origin, or the address that a proxy
 * appends. Requests with that many lines are rejected.
 */
const MAX_HEADER_LINES = 1_000;

const METHOD_PROBLEM: ProblemFields = {
  status: 405,
  code: 'method_not_allowed',
  detail: 'TRACE is not allowed.',
};

const HEADERS_PROBLEM: ProblemFields = {
  status: 431,
  code: 'too_many_headers',
  detail: `A request may have fewer than ${MAX_HEADER_LINES} header lines.`,
};

/** Node's parser accepts `HTTP/2.0` in a request line, although the request is HTTP/1.1. */
const VERSION_PROBLEM: ProblemFields = {
  status: 505,
  code: 'http_version_not_supported',
  detail: 'HTTP/2 does not begin with a request line.',
};

export const EXPECTATION_PROBLEM: ProblemFields = {
  status: 417,
  code: 'expectation_failed',
  detail: 'The only supported expectation is 100-continue.',
};

/** For a request whose check failed because a function of the app threw. */
export const EDGE_PROBLEM: ProblemFields = {
  status: 500,
  code: 'internal_error',
  detail: 'The request could not be answered.',
};

export const REQUEST_HEAD = Symbol('agent-security:request-head-check');
export const REQUEST_HEAD_CHECK: EdgeCheck = { check: checkRequestHead };

function checkRequestHead(raw: IncomingMessage): ProblemFields | undefined {
  if (raw.rawHeaders.length >= MAX_HEADER_LINES * 2) return HEADERS_PROBLEM;
  if (raw.method === 'TRACE') return METHOD_PROBLEM;
  return raw.httpVersionMajor > 1 && !('stream' in raw) ? VERSION_PROBLEM : undefined;
}

/** The problem of a URL that the framework could not parse. */
export function urlProblem(raw: IncomingMessage): ProblemFields {
  try {
    decodeURI(requestPath(raw.url ?? ''));
  } catch {
    return { status: 400, code: 'bad_request', detail: 'The URL of the request is malformed.' };
  }
  return { status: 414, code: 'uri_too_long', detail: 'A part of the URL is too long.' };
}

/** Singleton fields (RFC 9110 section 5.5). Of several lines, Node returns the first or joins them. */
const SINGLETON_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-range',
  'content-type',
  'idempotency-key',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'proxy-authorization',
  'transfer-encoding',
  'x-api-key',
  'x-http-method-override',
]);

export const REPEATED_FIELDS = Symbol('agent-security:repeated-fields-check');
export const REPEATED_FIELDS_CHECK: EdgeCheck = { check: checkRepeatedFields };

/**
 * Rejects a repeated singleton field: a proxy may have checked the line that the app does not read (RFC 9110 section
 * 5.3). Lists, cookies and forwarded headers may be repeated.
 */
function checkRepeatedFields(raw: IncomingMessage): ProblemFields | undefined {
  if (!hasRepeatedFields(raw)) return undefined;
  const { rawHeaders } = raw;
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (!SINGLETON_FIELDS.has(name)) continue;
    if (seen.has(name))
      return { status: 400, code: 'header_repeated', detail: `The header field ${name} may come once.` };
    seen.add(name);
  }
  return undefined;
}

/** Whether Node dropped a line or joined it to another: there are fewer names than lines. */
function hasRepeatedFields({ headers, rawHeaders }: IncomingMessage): boolean {
  let names = 0;
  for (const _name in headers) names += 2;
  return names !== rawHeaders.length;
}

/** Of several `Host` lines, Node keeps the first silently; the raw headers contain all. */
export function countHostLines(raw: IncomingMessage): number {
  const { rawHeaders } = raw;
  if (!hasRepeatedFields(raw)) return raw.headers.host === undefined ? 0 : 1;
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && (name === 'Host' || name === 'host' || name.toLowerCase() === 'host')) lines++;
  }
  return lines;
}

/** The symbol under which a connection caches its peer, which does not change. */
const PEER = Symbol('agent-security:peer');
type SocketWithPeer = TLSSocket & { [PEER]?: Client };

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

/** Reads the client of a request: the peer of the connection, or the client that trusted proxies name. */
export class ClientReader {
  #warned = false;

  constructor(
    private readonly trustProxy: ResolvedTrustProxy | undefined,
    private readonly log: Log,
  ) {}

  read(raw: IncomingMessage): Client {
    const socket = raw.socket as SocketWithPeer;
    const { trustProxy } = this;
    if (trustProxy === undefined) {
      if (!this.#warned && hasForwardedHeaders(raw.headers)) this.#warn(peerAddress(socket));
      return (socket[PEER] ??= this.#read(raw, socket));
    }
    const client = this.#read(raw, socket);
    if (!this.#warned && hasForwardedHeaders(raw.headers)) this.#warnOfHeaders(raw, client, trustProxy);
    return client;
  }

  #read(raw: IncomingMessage, socket: SocketWithPeer): Client {
    const peer = { address: peerAddress(socket), encrypted: socket.encrypted === true };
    const reading = readClient(peer, raw.headers, this.trustProxy);
    return { ...reading, key: addressKey(reading.address) ?? SHARED_KEY };
  }

  #warnOfHeaders({ headers, socket }: IncomingMessage, client: Client, trust: ResolvedTrustProxy): void {
    const peer = readClient({ address: peerAddress(socket), encrypted: false }, {}, undefined).address;
    if (peer !== client.address) return;
    if (!trust.trusts(peer, 0)) return this.#warn(peer);
    if (trust.header !== undefined || !differ(peer, headers, trust)) return;
    this.#warned = true;
    this.log.warn(
      logLine`A request from the proxy ${peer} has X-Forwarded-For and Forwarded, and they name different clients. Neither counts, so that ` +
        'all clients of the proxy share one quota. Name the one that it writes in trustProxy.header, or let the proxy remove the other.',
    );
  }

  #warn(peer: string | undefined): void {
    this.#warned = true;
    this.log.warn(
      logLine`Forwarded headers (X-Forwarded-For or Forwarded) arrive from ${peer ?? 'a peer'}, which trustProxy (TRUST_PROXY) does not ` +
        'name. They are ignored: if it is your proxy, all its clients share one quota until you name it.',
    );
  }
}
