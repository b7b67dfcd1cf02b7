/* The endpoints of the dashboard. They answer before routing. The page holds no data and needs no credential; everything else does. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator } from '../auth/authenticator.js';
import type { CheckReport } from '../check/finding.js';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import { type Log, logLine } from '../common/log-text.js';
import { isRecord } from '../common/read-options.js';
import type { Rejection } from '../common/rejection.js';
import type { RequestState } from '../common/request-state.js';
import type { AnswerNow } from '../http/unread-body.js';
import { createPolicy } from '../limiter/create-policy.js';
import { EVERY_POLICY } from '../limiter/consume.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import { quotaHeaders, quotaProblem } from '../limiter/quota-headers.js';
import type { QuotaTable } from '../limiter/table/quota-table.js';
import type { DashboardActions } from './actions.js';
import type { ResolvedDashboard } from './dashboard.options.js';
import type { Figures } from './figures.js';
import type { LiveFigures } from './live-figures.js';
import { readJsonBody } from './read-json-body.js';
import { answerJson, answerPage, reject, VIEWERS_FULL } from './dashboard-answers.js';

/** Requests of one address to this process: the page must answer while the shared store does not. It sends a handful, and one for each search. */
const LIMIT = createPolicy({ name: 'dashboard', limit: 120, windowMs: 60_000 });
const MAX_FOUND = 100;
const MAX_SEARCH = 200;
/** How long a stream of an agent lasts that `auth.identify` has returned: only a new request can identify it again. */
const MAX_IDENTIFIED_MS = 60_000;

interface StageParts {
  readonly options: ResolvedDashboard;
  readonly authenticator: Authenticator;
  readonly figures: Pick<Figures, 'search'>;
  readonly live: LiveFigures;
  readonly actions: DashboardActions;
  readonly readReport: () => Promise<CheckReport>;
  readonly clock: Clock;
  readonly answerNow: AnswerNow;
  readonly limiter: QuotaEngine;
  readonly log: Pick<Log, 'error'>;
}

type Serve = (
  raw: IncomingMessage,
  response: ServerResponse,
  state: RequestState,
) => Promise<Rejection | void>;

export class DashboardStage {
  readonly readsBody = true;
  readonly #counts: QuotaTable;
  readonly #endpoints: ReadonlyMap<string, readonly [method: 'GET' | 'POST', serve: Serve]>;
  #report: Promise<CheckReport> | undefined;

  constructor(private readonly parts: StageParts) {
    const { path } = parts.options;
    this.#counts = parts.limiter.createTable([LIMIT]);
    this.#endpoints = new Map([
      [path, ['GET', answerPage]],
      [`${path}/data`, ['GET', this.#guarded(this.#sendFigures)]],
      [`${path}/configuration`, ['GET', this.#guarded(this.#sendConfiguration)]],
      [`${path}/search`, ['POST', this.#guarded(this.#search)]],
      [`${path}/actions`, ['POST', this.#guarded(this.#act)]],
    ]);
  }

  claims(raw: IncomingMessage): boolean {
    const { url = '' } = raw;
    return url.startsWith(this.parts.options.path) && this.#endpoints.has(requestPath(url));
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<false> {
    const [method, serve] = this.#endpoints.get(requestPath(raw.url!))!;
    const rejection = checkMethod(raw, method) ?? this.#consume(state) ?? (await serve(raw, response, state));
    if (!rejection) return false;
    if (rejection.headers.length > 0) state.rejectionHeaders = rejection.headers;
    this.parts.answerNow(raw, response, rejection.problem);
    return false;
  }

  onApplicationBootstrap(): void {
    this.parts.live.start();
  }

  /** Open streams would hold the server open. */
  beforeApplicationShutdown(): void {
    this.parts.live.close();
  }

  #consume(state: RequestState): Rejection | undefined {
    const charge = { table: this.#counts, mask: EVERY_POLICY, key: state.client.key, cost: 1 };
    const decision = this.parts.limiter.consumeLocally([charge]);
    const headers = quotaHeaders(decision, this.parts.clock.epochMs(), true);
    state.limits.quotaHeaders = headers;
    return decision.granted ? undefined : { problem: quotaProblem(decision), headers: [] };
  }

  /** Requires an agent with the scopes of the dashboard. */
  #guarded(serve: Serve): Serve {
    const { authenticator, options } = this.parts;
    return async (raw, response, state) => {
      const found = await authenticator.authenticate(raw, state);
      if (found.kind !== 'agent') return found.reject();
      if (!hasScopes(state, options.scopes))
        return authenticator.rejections.insufficientScope(options.scopes, []);
      return serve.call(this, raw, response, state);
    };
  }

  async #sendFigures(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
  ): Promise<Rejection | void> {
    const { live, authenticator, options, clock } = this.parts;
    if (raw.method === 'HEAD' || raw.headers.accept?.includes('text/event-stream') !== true)
      return answerJson(response, await live.read());
    const found = await authenticator.authenticate(raw, state);
    const endMs =
      found.kind === 'agent' && found.verification !== undefined
        ? Infinity
        : clock.monotonicMs() + MAX_IDENTIFIED_MS;
    const isOpen = await live.watch(response, async () => {
      // A credential that is no longer valid ends its connections elsewhere (auth/open-connections.ts).
      await authenticator.recheck(state);
      return hasScopes(state, options.scopes) && clock.monotonicMs() < endMs;
    });
    return isOpen ? undefined : VIEWERS_FULL;
  }

  async #sendConfiguration(
    _raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
  ): Promise<void> {
    const { readReport, actions, log } = this.parts;
    this.#report ??= readReport();
    const report = await this.#report.catch((error: unknown) => {
      log.error(logLine`The configuration could not be checked: ${error}`);
      this.#report = undefined;
      return undefined;
    });
    const { findings = [], silenced = [], options = [], versions = [] } = report ?? {};
    const offered = this.#mayAct(state) ? actions.offered : { disableAgent: false, resetQuota: false };
    answerJson(response, { agent: state.agent?.id, actions: offered, findings, silenced, options, versions });
  }

  async #search(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
  ): Promise<Rejection | void> {
    const body = await readJsonBody(raw, state);
    if (body === 'gone') return;
    if ('problem' in body) return body;
    const text = isRecord(body.value) ? body.value['text'] : undefined;
    if (typeof text !== 'string' || text === '' || text.length > MAX_SEARCH)
      return reject(400, 'bad_request', 'Send {"text":"…"}: a part of a request ID, an agent or an address.');
    answerJson(response, this.parts.figures.search(text, MAX_FOUND));
  }

  /** A page of another site cannot set these headers, and a browser adds no API key or bearer token by itself. */
  async #act(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<Rejection | void> {
    const { authenticator, options, actions } = this.parts;
    const { authorization = '', 'x-api-key': key } = raw.headers;
    if (key === undefined && !/^(?:bearer|dpop) /i.test(authorization))
      return authenticator.rejections.missing;
    if (!this.#mayAct(state))
      return authenticator.rejections.insufficientScope(options.actionScopes ?? options.scopes, []);
    const body = await readJsonBody(raw, state);
    if (body === 'gone') return;
    if ('problem' in body) return body;
    const rejection = await actions.run(body.value, state);
    if (rejection !== undefined) return rejection;
    response.writeHead(204);
    response.end();
  }

  #mayAct(state: RequestState): boolean {
    const { actionScopes } = this.parts.options;
    return actionScopes !== undefined && hasScopes(state, actionScopes);
  }
}

const hasScopes = ({ agent }: RequestState, scopes: readonly string[]): boolean =>
  scopes.every(scope => agent?.scopes.includes(scope) === true);

function checkMethod({ method }: IncomingMessage, allowed: 'GET' | 'POST'): Rejection | undefined {
  if (method === allowed || (method === 'HEAD' && allowed === 'GET')) return undefined;
  const allow = allowed === 'GET' ? 'GET, HEAD' : allowed;
  const problem = { status: 405, code: 'method_not_allowed', detail: `The method is ${allowed}.`, allow };
  return { problem, headers: [] };
}
