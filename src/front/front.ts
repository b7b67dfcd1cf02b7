/* What every request meets first, in this order: ID, headers, head, host, CORS, flood limit, URL, method, verb, declared body, known
 * refusals. All of it happens in front
 * of the body parser, of Nest's own pipeline and of every route, whoever mounted it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { AnswerNow } from '../common/answer-now.js';
import { readAuthority } from '../common/authority.js';
import type { MayCarryAgent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  rawResponse,
  requestPath,
  setRequestId,
  takeOver,
} from '../common/http-request.js';
import { addressKey, SHARED_KEY } from '../common/ip-address.js';
import type { ProblemFields } from '../common/problem.js';
import { attachUpgrade, type Client, requestState, RequestState } from '../common/request-state.js';
import type { HandshakeJudge } from '../auth/handshake.js';
import { compileHeaderTemplate, type HeaderTemplate } from '../common/header-template.js';
import { attachState, standingHeaders } from '../common/response-headers.js';
import { checkDeclaredBody } from '../body/check-body.js';
import { watchBody } from '../body/watch-body.js';
import { hasForwardingHeaders, readClient } from '../client-address/read-client.js';
import { ORIGIN_PROBLEM } from '../cors/origin.problem.js';
import { decideCors } from '../cors/decide-cors.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import { type HeaderSettings, templateParts } from '../headers/header-settings.js';
import { checkHost, type HostDecision } from '../host/check-host.js';
import { hostProblem } from '../host/host.problem.js';
import type { HostPatterns, ResolvedHosts } from '../host/host.options.js';
import { EVERY_POLICY, judge, type Verdict } from '../rate-limit/judge.js';
import { nameRequest } from '../rate-limit/known-refusals.js';
import { QuotaTable } from '../rate-limit/quota-table.js';
import { quotaHeaders, quotaProblem } from '../rate-limit/quota-headers.js';
import type { RefusalMemory } from '../rate-limit/refusal-memory.js';
import { chooseRequestId } from '../request-id/choose-request-id.js';
import { checkUrl, urlRefusal } from '../url/check-url.js';
import { checkVerb } from '../verb/check-verb.js';
import type { ResolvedOptions } from '../agent-security.options.js';
import { TLS_PROBLEM } from '../websockets/tls.problem.js';
import type { FrontStage } from './front-stage.js';
import { answerOnSocket, answerPreflight, answerProblem, createAnswerNow } from './answer.js';
import {
  checkMethod,
  checkRepeatedFields,
  checkRequestHead,
  countHostLines,
  EXPECTATION_PROBLEM,
  FRONT_PROBLEM,
  urlProblem,
} from './request-head.js';

export interface FrontLog {
  warn(message: string): void;
  error(message: string): void;
}

/** What a connection keeps between its requests: the peer does not change. */
const PEER = Symbol('agent-security:peer');
type SocketWithPeer = TLSSocket & { [PEER]?: Client };

/** One refused host may be a mistake in the settings; a scan of thousands must not fill the log. */
const LOG_INTERVAL_MS = 1_000;

export interface FrontParts {
  readonly options: ResolvedOptions;
  readonly settings: HeaderSettings;
  readonly clock: Clock;
  readonly log: FrontLog;
  readonly refusals: RefusalMemory;
  readonly mayCarryAgent: MayCarryAgent;
  readonly stages: readonly FrontStage[];
  /** Of `@Verb()`. */
  readonly verbs: ReadonlySet<string>;
  readonly handshakes: HandshakeJudge | undefined;
}

export class Front {
  readonly #template: HeaderTemplate;
  readonly #patterns: HostPatterns | undefined;
  readonly #flood: QuotaTable | undefined;
  readonly #grants = new Map<string, readonly string[]>();
  /** The last host that was served: nearly every request names the same one. */
  #servedHost = '';
  #servedDecision: HostDecision | undefined;
  #warnedOfForwarding = false;
  #hostLoggedMs = -Infinity;
  readonly #answerNow: AnswerNow;

  private readonly options: ResolvedOptions;
  private readonly clock: Clock;
  private readonly log: FrontLog;

  constructor(private readonly parts: FrontParts) {
    const { options, settings } = parts;
    this.options = options;
    this.clock = parts.clock;
    this.log = parts.log;
    this.#answerNow = createAnswerNow(options.errors);
    this.#template = compileHeaderTemplate(templateParts(settings));
    const { hosts, rateLimit, cors } = options;
    this.#patterns = hosts && !hosts.anyHost ? hosts.patterns : undefined;
    this.#flood =
      rateLimit && rateLimit.flood ? new QuotaTable([rateLimit.flood], rateLimit.maxClients) : undefined;
    if (cors) for (const origin of cors.exact) this.#grants.set(origin, grantPairs(origin, cors));
  }

  /**
   * Attaches the response's headers and judges the request. False means that it has been answered, or will be.
   * @param sendContinue where the client waits to be asked for its body
   */
  admit(
    request: PlatformRequest,
    response: PlatformResponse,
    sendContinue?: () => void,
  ): boolean | Promise<boolean> {
    const raw = rawRequest(request);
    const state = this.#begin(request, raw, rawResponse(response));
    if (sendContinue !== undefined) state.awaitContinue(sendContinue);
    const problem = this.#judge(raw, state) ?? this.#checkKnown(raw, state);
    if (problem === undefined) {
      const claiming = this.parts.stages.filter(stage => stage.claims(raw));
      if (!claiming.some(stage => stage.judgesBody)) this.#watchBody(raw, rawResponse(response), state);
      return claiming.length === 0 || this.#runStages(claiming, request, response, state);
    }
    takeOver(response);
    if (problem === PREFLIGHT) answerPreflight(raw, rawResponse(response), this.options.cors as ResolvedCors);
    else this.#answer(raw, rawResponse(response), state, problem);
    return false;
  }

  #answer(raw: IncomingMessage, response: ServerResponse, state: RequestState, problem: ProblemFields): void {
    const stage = this.parts.stages.find(each => each.refuse !== undefined && each.claims(raw));
    if (stage === undefined) answerProblem(raw, response, problem, state.id, this.options.errors);
    else stage.refuse!(raw, response, state, problem);
  }

  async #runStages(
    stages: readonly FrontStage[],
    request: PlatformRequest,
    response: PlatformResponse,
    state: RequestState,
  ): Promise<boolean> {
    const raw = rawRequest(request);
    const rawAnswer = rawResponse(response);
    try {
      for (const stage of stages) {
        if (await stage.run(raw, rawAnswer, state)) continue;
        takeOver(response);
        return false;
      }
      // A body that was refused while a stage waited has its answer.
      return !rawAnswer.headersSent;
    } catch (error) {
      this.log.error(`A request could not be judged: ${String(error)}`);
      takeOver(response);
      if (rawAnswer.headersSent) rawAnswer.destroy();
      else answerProblem(raw, rawAnswer, FRONT_PROBLEM, state.id, this.options.errors);
      return false;
    }
  }

  /**
   * Judges an upgrade (a WebSocket handshake) as a request that changes state: a browser sends it without a preflight, and reads
   * what comes. False means that it has been answered.
   */
  admitUpgrade(raw: IncomingMessage, socket: Duplex): boolean | Promise<boolean> {
    const state = this.#newState(raw, NO_RESPONSE);
    const problem = this.#judge(raw, state, 'UPGRADE');
    if (problem === undefined) {
      if (this.options.webSockets.requireTls && !state.client.secure) {
        this.#refuseUpgrade(socket, state, TLS_PROBLEM);
        return false;
      }
      if (this.parts.handshakes !== undefined) return this.#authenticate(raw, socket, state);
      attachUpgrade(raw, socket, state);
      return true;
    }
    this.#refuseUpgrade(socket, state, problem === PREFLIGHT ? ORIGIN_PROBLEM : problem);
    return false;
  }

  async #authenticate(raw: IncomingMessage, socket: Duplex, state: RequestState): Promise<boolean> {
    // Node has taken its own listener off; a client that goes now must not end the process.
    socket.on('error', ignore);
    const refusal = await this.parts.handshakes!.judge(raw, state);
    socket.off('error', ignore);
    if (socket.destroyed) return false;
    if (refusal === undefined) {
      attachUpgrade(raw, socket, state);
      return true;
    }
    socket.on('error', ignore);
    this.#refuseUpgrade(socket, state, refusal.problem, refusal.headers);
    return false;
  }

  #refuseUpgrade(
    socket: Duplex,
    state: RequestState,
    fields: ProblemFields,
    more: readonly string[] = [],
  ): void {
    const headers = [...standingHeaders(state), ...(state.grant ?? []), ...(state.quota ?? []), ...more];
    answerOnSocket(socket, fields, headers, state.id, this.options.errors);
  }

  /** For bytes that Node's parser could not read as a request. */
  answerUnreadable(socket: Duplex, fields: ProblemFields): void {
    const { requestId } = this.options;
    const id = requestId === false ? '' : requestId.generate();
    const secure = (socket as TLSSocket).encrypted === true;
    const headers = standingHeaders({ id, template: this.#template, client: { secure } });
    answerOnSocket(socket, fields, headers, id, this.options.errors);
  }

  /**
   * For a request that the framework refuses before any hook (Fastify: a malformed URL, a parameter that is too long).
   * Answers it here, so that it is a problem like every other.
   */
  answerUnroutable(request: PlatformRequest, response: ServerResponse): void {
    this.#refuse(request, response, urlProblem);
  }

  /** For an `Expect` that Node refuses without a request event. */
  answerExpectation(request: IncomingMessage, response: ServerResponse): void {
    this.#refuse(request, response, () => EXPECTATION_PROBLEM);
  }

  #refuse(
    request: PlatformRequest,
    response: ServerResponse,
    problemOf: (raw: IncomingMessage) => ProblemFields,
  ): void {
    const raw = rawRequest(request);
    const judged = requestState(response);
    const state = judged ?? this.#begin(request, raw, response);
    const fields = judged === undefined ? this.#judge(raw, state) : undefined;
    const problem = fields === undefined || fields === PREFLIGHT ? problemOf(raw) : fields;
    answerProblem(raw, response, problem, state.id, this.options.errors);
  }

  #begin(request: PlatformRequest, raw: IncomingMessage, response: ServerResponse): RequestState {
    const state = this.#newState(raw, response.writeHead);
    if (state.id !== '') setRequestId(request, state.id);
    attachState(response, raw, state);
    return state;
  }

  #newState(raw: IncomingMessage, writeHead: ServerResponse['writeHead']): RequestState {
    const state = new RequestState(this.#template, writeHead);
    const { requestId } = this.options;
    if (requestId !== false) state.id = chooseRequestId(raw.headers[requestId.lowerCaseHeader], requestId);
    return state;
  }

  #judge(
    raw: IncomingMessage,
    state: RequestState,
    method = raw.method ?? '',
  ): ProblemFields | typeof PREFLIGHT | undefined {
    try {
      state.client = this.#client(raw);
      return (
        checkRequestHead(raw) ??
        this.#checkHost(raw, state) ??
        this.#checkOrigin(raw, state, method) ??
        this.#checkFlood(raw, state) ??
        this.#checkUrl(raw) ??
        checkMethod(raw.method ?? '', this.options.methods) ??
        checkRepeatedFields(raw) ??
        this.#checkVerb(raw, state) ??
        this.#checkBody(raw)
      );
    } catch (error) {
      // A function of the app's own, such as trustProxy. Thrown out of the server's event, it would end the process.
      this.log.error(`A request could not be judged: ${String(error)}`);
      return FRONT_PROBLEM;
    }
  }

  #checkHost(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const { hosts } = this.options;
    const authority = raw.headers[':authority'] as string | undefined;
    const host = authority ?? raw.headers.host;
    // Over HTTP/2 both may come, and the app may read the one that was not judged (RFC 9113 section 8.3.1).
    if (authority !== undefined && raw.headers.host !== undefined && raw.headers.host !== authority) {
      return hostProblem('conflict');
    }
    const { forwardedHosts } = state.client;
    const target = raw.url ?? '';
    if (hosts === false) {
      state.host = typeof host === 'string' ? readAuthority(forwardedHosts?.at(-1) ?? host) : undefined;
      return undefined;
    }
    const hostLines = countHostLines(raw);
    const simple = forwardedHosts === undefined && target.charCodeAt(0) === 0x2f && hostLines <= 1;
    if (simple && host === this.#servedHost && this.#servedDecision?.allowed) {
      state.host = this.#servedDecision.authority;
      return undefined;
    }
    const decision = checkHost(
      { host: host as string | undefined, hostLines, target, forwardedHosts },
      this.#patterns,
    );
    if (decision.allowed) {
      state.host = decision.authority;
      if (simple) [this.#servedHost, this.#servedDecision] = [host as string, decision];
      return undefined;
    }
    if (hosts.exemptPaths.size > 0 && hosts.exemptPaths.has(requestPath(target))) return undefined;
    if (decision.reason === 'not-listed') this.#logRefusedHosts(forwardedHosts ?? [String(host)], hosts);
    return hostProblem(decision.reason);
  }

  #checkOrigin(
    raw: IncomingMessage,
    state: RequestState,
    method: string,
  ): ProblemFields | typeof PREFLIGHT | undefined {
    const { cors } = this.options;
    if (cors === false) return undefined;
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
      (decision.kind === 'refused' || decision.kind === 'unreadable') &&
      origin !== undefined &&
      this.parts.stages.some(stage => stage.allowsOrigin?.(raw, origin) === true)
    ) {
      const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
      decision = { kind: isPreflight ? 'preflight' : 'granted', origin };
    }
    if (decision.kind === 'granted' || decision.kind === 'preflight') {
      state.grant = this.#grants.get(decision.origin) ?? grantPairs(decision.origin, cors);
      return decision.kind === 'preflight' ? PREFLIGHT : undefined;
    }
    state.unreadable = decision.kind !== 'none';
    if (decision.kind !== 'refused' || (method === raw.method && this.#isOpenToOrigins(raw)))
      return undefined;
    return ORIGIN_PROBLEM;
  }

  #isOpenToOrigins(raw: IncomingMessage): boolean {
    return this.parts.stages.some(stage => stage.isOpenToOrigins === true && stage.claims(raw));
  }

  #checkFlood(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const { rateLimit } = this.options;
    if (this.#flood === undefined || rateLimit === false) return undefined;
    if (rateLimit.exemptPaths.size > 0 && rateLimit.exemptPaths.has(requestPath(raw.url ?? '')))
      return undefined;
    const charge = { table: this.#flood, mask: EVERY_POLICY, key: state.client.key, cost: 1 };
    const verdict = judge([charge], this.clock.monotonicMs());
    return verdict.granted ? undefined : this.#overLimit(verdict, state);
  }

  /** Refuses a client that the guard has just refused here, until its quota gives something back. */
  #checkKnown(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    if (this.parts.refusals.size === 0 || this.parts.mayCarryAgent(raw)) return undefined;
    const request = nameRequest(raw, state.client);
    const verdict =
      request === undefined ? undefined : this.parts.refusals.find(request, this.clock.monotonicMs());
    return verdict && this.#overLimit(verdict, state);
  }

  #overLimit(verdict: Verdict, state: RequestState): ProblemFields {
    const { rateLimit } = this.options;
    state.quota = quotaHeaders(verdict, this.clock.epochMs(), rateLimit !== false && rateLimit.headers);
    return quotaProblem(verdict);
  }

  #checkUrl({ url }: IncomingMessage): ProblemFields | undefined {
    if (this.options.url === false) return undefined;
    const decision = checkUrl(url ?? '', this.options.url);
    return decision.allowed ? undefined : urlRefusal(decision.reason, this.options.url.maxLength);
  }

  #checkVerb(raw: IncomingMessage, state: RequestState): ProblemFields | undefined {
    const decision = checkVerb(raw, this.parts.verbs);
    if (decision.kind === 'verb') state.verb = decision.verb;
    return decision.kind === 'refused' ? decision.problem : undefined;
  }

  #checkBody({ method, headers }: IncomingMessage): ProblemFields | undefined {
    const { body } = this.options;
    return body === false ? undefined : checkDeclaredBody(method ?? '', headers, body.maxBytes);
  }

  #watchBody(raw: IncomingMessage, response: ServerResponse, state: RequestState): void {
    const { body } = this.options;
    if (body === false) return;
    state.body = watchBody(raw, body, problem => this.#answerNow(raw, response, problem));
  }

  #client(raw: IncomingMessage): Client {
    const socket = raw.socket as SocketWithPeer;
    const { trustProxy } = this.options;
    if (trustProxy === undefined) {
      if (!this.#warnedOfForwarding && hasForwardingHeaders(raw.headers))
        this.#warnOfForwarding(socket.remoteAddress);
      return (socket[PEER] ??= this.#readClient(raw, socket));
    }
    const client = this.#readClient(raw, socket);
    if (!this.#warnedOfForwarding && hasForwardingHeaders(raw.headers) && !trustProxy(client.address, 0)) {
      const peer = readClient({ address: socket.remoteAddress, encrypted: false }, {}, undefined).address;
      if (peer === client.address) this.#warnOfForwarding(peer);
    }
    return client;
  }

  #readClient(raw: IncomingMessage, socket: SocketWithPeer): Client {
    const peer = { address: socket.remoteAddress, encrypted: socket.encrypted === true };
    const reading = readClient(peer, raw.headers, this.options.trustProxy);
    return { ...reading, key: addressKey(reading.address) ?? SHARED_KEY };
  }

  #warnOfForwarding(peer: string | undefined): void {
    this.#warnedOfForwarding = true;
    this.log.warn(
      `Forwarding headers (X-Forwarded-For or Forwarded) arrive from ${peer ?? 'a peer'}, which trustProxy (TRUST_PROXY) does not ` +
        'name. They are ignored: if that is your proxy, all its clients share one quota until you name it.',
    );
  }

  #logRefusedHosts(refused: readonly string[], hosts: ResolvedHosts): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#hostLoggedMs < LOG_INTERVAL_MS) return;
    this.#hostLoggedMs = nowMs;
    // Only what has the form of a host: everything else is somebody's text.
    const names = refused.flatMap(host => readAuthority(host)?.name ?? []);
    this.log.warn(
      `Refused a request for host ${names.join(', ')}. If it is yours, add it to ${hosts.setting}.`,
    );
  }
}

const ignore = (): void => undefined;

const PREFLIGHT = 'preflight';

/** An upgrade has no response object whose headers could be written. */
const NO_RESPONSE = undefined as unknown as ServerResponse['writeHead'];

function grantPairs(origin: string, cors: ResolvedCors): readonly string[] {
  return [
    'Access-Control-Allow-Origin',
    origin,
    ...(cors.credentials ? ['Access-Control-Allow-Credentials', 'true'] : []),
    'Access-Control-Expose-Headers',
    cors.exposeHeaders,
  ];
}
