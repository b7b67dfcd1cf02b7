/* Counts responses, and measures how long the decision about each request takes: in the checks of the edge, in the stage of an MCP endpoint
 * and in the guards. What lies between, such as the arrival of a body, does not count. */
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Clock } from '../common/clock.js';
import type { EdgeCheck } from '../common/edge-stage.js';
import type { PlatformResponse } from '../common/http-request.js';
import { requestState, type RequestState } from '../common/request-state.js';
import { codeOfStatus } from '../common/status-code.js';
import { isProblemCode } from '../events/event-levels.js';
import type { SecurityEvent } from '../events/security-events.js';
import type { Instruments } from './instruments.js';
import { type KnownNames, OTHER } from './known-names.js';

interface Observed {
  readonly startedMs: number;
  decidingMs: number;
  /** Since when the module decides about the request; `undefined` while it does not. */
  sinceMs: number | undefined;
}

export class RequestProbe {
  readonly #observed = new WeakMap<RequestState, Observed>();

  constructor(
    private readonly instruments: Pick<Instruments, 'countRequest' | 'recordDecision'>,
    private readonly clock: Clock,
    private readonly policies: KnownNames,
  ) {}

  /** Before all other checks of the edge, and after them. */
  readonly checks: readonly [first: EdgeCheck, last: EdgeCheck] = [
    {
      check: (_raw, state) => {
        const startedMs = this.clock.monotonicMs();
        this.#observed.set(state, { startedMs, decidingMs: 0, sinceMs: startedMs });
        state.outcome.onHeadWritten = this.#count;
        return undefined;
      },
    },
    {
      countsAll: true,
      check: (_raw, state) => {
        this.#pause(state);
        return undefined;
      },
    },
  ];

  /** Before all other guards of the module, and after them. A rejection ends with the head of its response. */
  readonly guards: readonly [first: CanActivate, last: CanActivate] = [
    this.#guard(state => this.#resume(state)),
    this.#guard(state => this.#pause(state)),
  ];

  /** When the request has arrived. */
  startOf(state: RequestState): number {
    return this.#observed.get(state)?.startedMs ?? this.clock.monotonicMs();
  }

  async measure<T>(state: RequestState, decide: () => Promise<T>): Promise<T> {
    this.#resume(state);
    try {
      return await decide();
    } finally {
      this.#pause(state);
    }
  }

  /** Every rejection has one event: those of messages, of handshakes and of bytes that are no request too. */
  readonly countRejection = ({ status, code, policies }: SecurityEvent<'request.rejected'>): void => {
    const policy = policies?.[0];
    const isKnown = isProblemCode(code) || code === codeOfStatus(status);
    this.instruments.countRequest({
      result: resultOf(status),
      code: isKnown ? code : OTHER,
      ...(policy === undefined ? undefined : { policy: this.policies.has(policy) ? policy : OTHER }),
    });
  };

  readonly #count = (state: RequestState, status: number): void => {
    this.#pause(state);
    const { isReported, rejection } = state.outcome;
    const result = isReported ? resultOf(rejection?.status ?? status) : 'ok';
    if (!isReported) this.instruments.countRequest({ result });
    const decidingMs = this.#observed.get(state)?.decidingMs;
    if (decidingMs !== undefined) this.instruments.recordDecision(decidingMs / 1_000, { result });
  };

  #guard(act: (state: RequestState) => void): CanActivate {
    return {
      canActivate: (context: ExecutionContext): boolean => {
        const response = context.getType() === 'http' && context.getArgByIndex<PlatformResponse>(1);
        const state = response ? requestState(response) : undefined;
        if (state !== undefined) act(state);
        return true;
      },
    };
  }

  #resume(state: RequestState): void {
    const observed = this.#observed.get(state);
    if (observed !== undefined) observed.sinceMs ??= this.clock.monotonicMs();
  }

  #pause(state: RequestState): void {
    const observed = this.#observed.get(state);
    if (observed?.sinceMs === undefined) return;
    observed.decidingMs += this.clock.monotonicMs() - observed.sinceMs;
    observed.sinceMs = undefined;
  }
}

/** As in audit records. */
const resultOf = (status: number): 'rejected' | 'failed' => (status >= 500 ? 'failed' : 'rejected');
