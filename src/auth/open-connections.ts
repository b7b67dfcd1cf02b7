/* Closes connections whose credential is no longer valid: WebSockets, event streams, downloads, long polls. Each request with a verified
 * credential is tracked with its connection. Once a second, the credentials of open requests are verified again; the connection is closed
 * when its key was revoked, its agent disabled, or its token has expired. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock, Timers } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import type { RequestState } from '../common/request-state.js';
import { hasResponseEnded } from '../common/response-end.js';
import type { SecurityEvents } from '../events/security-events.js';
import type { Verification, VerifiedCredential } from '../identity/credential.js';

/** How often the credentials of open connections are verified again. */
const CHECK_MS = 1_000;

/** How long a connection stays open while its credential cannot be verified. */
const UNCONFIRMED_MS = 10_000;

type CloseReason = 'revoked' | 'expired' | 'unavailable';

/** RFC 6455 section 7.4.1. */
const POLICY_VIOLATION = 1_008;

const CLOSE_FRAMES: Readonly<Record<CloseReason, Buffer>> = {
  revoked: closeFrame('The credential was revoked.'),
  expired: closeFrame('The credential has expired.'),
  unavailable: closeFrame('The credential cannot be verified.'),
};

/** A request whose credential was verified. */
interface OpenRequest {
  readonly state: RequestState;
  readonly verification: VerifiedCredential;
  /** When the credential was last verified; `undefined` until the first check. */
  confirmedMs: number | undefined;
}

const REQUESTS = Symbol('agent-security:open-requests');

/** A socket, or a stream of HTTP/2. */
type Connection = Duplex & {
  /** One, unless the client pipelines. */
  [REQUESTS]?: OpenRequest[];
};

export class OpenConnections {
  /** Connections with an authenticated request that is open or was handled since the last check. A connection is removed when it closes. */
  readonly #connections = new Set<Connection>();
  /** WebSockets that were sent a close frame, until the next check. */
  readonly #closing = new Set<Connection>();
  /** Pending verifications by credential. */
  readonly #pending = new Map<string, Promise<Verification | undefined>>();
  #isWaiting = false;
  #isDue = false;

  constructor(
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly events: SecurityEvents,
  ) {}

  /** The number of tracked connections. */
  get size(): number {
    return this.#connections.size;
  }

  /** Tracks a request whose credential was verified. On a kept-alive connection, it replaces the previous request. */
  track(raw: IncomingMessage, state: RequestState, verification: VerifiedCredential): void {
    const connection = connectionOf(raw);
    // The client has disconnected during verification.
    if (connection === undefined || connection.destroyed) return;
    if (connection[REQUESTS] === undefined) {
      connection[REQUESTS] = [];
      // Missing on the socket stand-ins of serverless adapters and app.inject(): the next check removes those.
      connection.once?.('close', () => {
        this.#connections.delete(connection);
        this.#closing.delete(connection);
      });
    }
    const requests = connection[REQUESTS];
    const ended = requests.findIndex(each => !isOpen(connection, each));
    requests[ended === -1 ? requests.length : ended] = { state, verification, confirmedMs: undefined };
    this.#connections.add(connection);
    this.#wait();
  }

  /** Checks all open connections in a microtask: a store has just read a revocation. */
  checkSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#checkAll();
    });
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.timers.start(CHECK_MS, () => {
      this.#isWaiting = false;
      // Their clients had a check interval to read the close frame.
      for (const connection of this.#closing) connection.destroy();
      this.#checkAll();
      if (this.#connections.size > 0) this.#wait();
    });
  }

  #checkAll(): void {
    for (const connection of this.#connections) {
      const requests = connection[REQUESTS]!;
      const open = requests.filter(request => isOpen(connection, request));
      for (const request of open) this.#check(connection, request);
      if (open.length > 0 || this.#closing.has(connection)) continue;
      // Idle: the last request is released until there is a next one.
      requests.length = 0;
      this.#connections.delete(connection);
    }
  }

  #check(connection: Connection, request: OpenRequest): void {
    const { verification } = request;
    const confirmedMs = (request.confirmedMs ??= this.clock.monotonicMs());
    const isUnconfirmed = (): boolean => this.clock.monotonicMs() - confirmedMs > UNCONFIRMED_MS;
    const apply = (current: Verification | undefined): void => {
      if (!isOpen(connection, request)) return;
      if (current?.verified) request.confirmedMs = this.clock.monotonicMs();
      else if (current !== undefined)
        this.#end(connection, request, current.reason === 'expired' ? 'expired' : 'revoked');
      else if (isUnconfirmed()) this.#end(connection, request, 'unavailable');
    };
    const current = this.#recheck(verification);
    if (!(current instanceof Promise)) return apply(current);
    void current.then(apply);
    // A store that never answers must not keep a connection open.
    if (isUnconfirmed()) apply(undefined);
  }

  /** `undefined` while the store is unavailable. An asynchronous store has at most one pending verification per credential. */
  #recheck(verification: VerifiedCredential): Verification | undefined | Promise<Verification | undefined> {
    const id = joinKey(verification.agent.kind, verification.credentialId);
    const pending = this.#pending.get(id);
    if (pending !== undefined) return pending;
    try {
      const current = verification.recheck();
      if (!(current instanceof Promise)) return current;
      const checking = current.catch(() => undefined).finally(() => void this.#pending.delete(id));
      this.#pending.set(id, checking);
      return checking;
    } catch {
      return undefined;
    }
  }

  #end(connection: Connection, request: OpenRequest, reason: CloseReason): void {
    const { state, verification } = request;
    // The request arrived before the token expired, and its response may still begin. Streams and long polls would continue.
    if (reason === 'expired' && state.response?.headersSent === false && !state.isLongPoll) return;
    if (this.#closing.has(connection)) return;
    this.events.emit({
      type: 'auth.closed',
      timeMs: this.clock.epochMs(),
      requestId: state.id || undefined,
      address: state.client.address,
      agent: verification.agent.id,
      reason,
      connection: state.response === undefined ? 'websocket' : 'response',
    });
    if (state.response !== undefined) {
      state.response.destroy();
      connection.destroy?.();
      return;
    }
    this.#closing.add(connection);
    connection.on('error', () => undefined);
    // Further messages are discarded.
    connection.removeAllListeners('data').resume();
    // WebSocket libraries write whole frames, so that this frame can follow any of them.
    connection.end(CLOSE_FRAMES[reason]);
  }
}

function connectionOf(raw: IncomingMessage): Connection | undefined {
  return raw.httpVersionMajor >= 2 ? (raw as { stream?: Duplex }).stream : raw.socket;
}

/** An upgrade is open as long as its connection. A pipelined response may wait for others and end with its connection. */
function isOpen({ destroyed }: Connection, { state: { response } }: OpenRequest): boolean {
  return !destroyed && (response === undefined || !hasResponseEnded(response));
}

function closeFrame(reason: string): Buffer {
  const text = Buffer.from(reason);
  const head = Buffer.from([0x88, text.length + 2, POLICY_VIOLATION >> 8, POLICY_VIOLATION & 0xff]);
  return Buffer.concat([head, text]);
}
