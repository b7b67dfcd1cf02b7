/* The slots of a concurrency limit that one request holds: renewed while its response is open, and released when the response and the handler
 * have both ended. */
import type { RequestState } from '../common/request-state.js';
import { whenResponseEnds } from '../common/response-end.js';
import type { ServerResponse } from 'node:http';

/** A lease is renewed so often before it would end. */
const RENEWALS = 3;

export interface LeaseSteps {
  readonly leaseMs: number;
  renew(): Promise<void>;
  release(): void;
}

export class Lease {
  readonly #timer: NodeJS.Timeout;
  #renewing: Promise<void> | undefined;
  #end: NodeJS.Timeout | undefined;
  #isReleased = false;

  constructor(private readonly steps: LeaseSteps) {
    this.#timer = setInterval(() => {
      // A failed renewal is ignored: the lease then ends by itself.
      this.#renewing ??= steps
        .renew()
        .catch(() => undefined)
        .finally(() => (this.#renewing = undefined));
    }, steps.leaseMs / RENEWALS).unref();
  }

  /** Renews it no more: unless it is released before, it ends one lease after its last renewal. */
  expire(): void {
    clearInterval(this.#timer);
    this.#end ??= setTimeout(() => void this.release(), this.steps.leaseMs).unref();
  }

  /** The first call counts. Settles when the store has been told. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    clearInterval(this.#timer);
    clearTimeout(this.#end);
    // After a renewal that is under way, since only then it is known when the lease began.
    if (this.#renewing !== undefined) await this.#renewing;
    this.steps.release();
  }
}

/** What a request holds while it is at work. */
interface Work {
  readonly response: ServerResponse;
  readonly leases: Lease[];
  /** Handlers that are running: of a GraphQL operation, one for each of its resolvers. */
  handlers: number;
  hasEnded: boolean;
}

const works = new WeakMap<RequestState, Work>();

/**
 * Releases a lease when the response and the handlers of its request have ended. A handler that goes on after the response (its client left, or
 * its time was over) keeps the slot for one lease at most, since the lease is not renewed any more.
 */
export function releaseWhenDone(state: RequestState, response: ServerResponse, lease: Lease): void {
  let work = works.get(state);
  if (work === undefined) works.set(state, (work = { response, leases: [], handlers: 0, hasEnded: false }));
  work.leases.push(lease);
  const held = work;
  whenResponseEnds(response, () => {
    held.hasEnded = true;
    if (held.handlers === 0) void lease.release();
    else lease.expire();
  });
}

/** What the interceptor tells of the handlers of a request that holds leases; `undefined` for a request that holds none. */
export function workOf(state: RequestState | undefined): Work | undefined {
  return state && works.get(state);
}

/** Counts a handler. @returns what is called when it has ended */
export function countHandler(work: Work): () => void {
  work.handlers++;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    work.handlers--;
    if (work.handlers === 0 && work.hasEnded) for (const lease of work.leases) void lease.release();
  };
}
