/* Checks the origin of a request: whether its page may read the response, whether it may change state, whether it is a preflight. */
import type { IncomingMessage } from 'node:http';
import { type EdgeCheck, type EdgeFinding, PREFLIGHT, type EdgeStage } from '../common/feature.js';
import type { RequestState } from '../common/request-state.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import { decideCors, ORIGIN_PROBLEM } from '../cors/decide-cors.js';

export class OriginCheck implements EdgeCheck {
  readonly #grants = new Map<string, readonly string[]>();

  constructor(
    private readonly cors: ResolvedCors,
    private readonly stages: readonly EdgeStage[],
  ) {
    for (const origin of cors.exact) this.#grants.set(origin, grantPairs(origin, cors));
  }

  /**
   * Writes to the state whether the page may read the response.
   * @param method `UPGRADE` for a WebSocket handshake
   */
  check(raw: IncomingMessage, state: RequestState, method: string): EdgeFinding {
    const { cors } = this;
    const { headers } = raw;
    const origin = headers.origin;
    const secFetchSite = headers['sec-fetch-site'] as string | undefined;
    if (origin === undefined && secFetchSite === undefined && !cors.anyOrigin) return undefined;
    let decision = decideCors(
      {
        method,
        origin,
        secFetchSite,
        requestedMethod: headers['access-control-request-method'],
        host: state.host,
        secure: state.client.secure,
      },
      cors,
    );
    if (
      (decision.kind === 'rejected' || decision.kind === 'unreadable') &&
      origin !== undefined &&
      this.stages.some(stage => stage.allowsOrigin?.(raw, origin) === true)
    ) {
      const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
      decision = { kind: isPreflight ? 'preflight' : 'granted', origin };
    }
    if (decision.kind === 'granted' || decision.kind === 'preflight') {
      state.cors.grant = this.#grants.get(decision.origin) ?? grantPairs(decision.origin, cors);
      return decision.kind === 'preflight' ? PREFLIGHT : undefined;
    }
    state.cors.unreadable = decision.kind !== 'none';
    if (decision.kind !== 'rejected' || (method === raw.method && this.#isOpenToOrigins(raw)))
      return undefined;
    return ORIGIN_PROBLEM;
  }

  #isOpenToOrigins(raw: IncomingMessage): boolean {
    return this.stages.some(stage => stage.isOpenToOrigins === true && stage.claims(raw));
  }
}

function grantPairs(origin: string, cors: ResolvedCors): readonly string[] {
  return [
    'Access-Control-Allow-Origin',
    origin,
    ...(cors.credentials ? ['Access-Control-Allow-Credentials', 'true'] : []),
    'Access-Control-Expose-Headers',
    cors.exposeHeaders,
  ];
}
