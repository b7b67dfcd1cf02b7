/* The pre-routing pipeline of every request: request ID and response headers, then the checks (`CHECKS` in
 * features.ts), then the stages that claim the request (`STAGES`). It runs before body parsers, before Nest's guards and
 * before every route, routes of other libraries included. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { HandshakeAuthenticator } from '../auth/gateways.js';
import { limitBody } from '../body/limit-body.js';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { ClientReader } from '../client-address/client-reader.js';
import { readClient } from '../client-address/read-client.js';
import { compileHeaderTemplate, type HeaderTemplate } from '../common/header-template.js';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  rawResponse,
  setRequestId,
  takeOver,
} from '../common/http-request.js';
import { logLine } from '../common/log-text.js';
import type { ProblemFields } from '../common/problem.js';
import { attachUpgrade, requestState, RequestState } from '../common/request-state.js';
import { RejectionEvents } from '../events/rejection-events.js';
import { fixedHeaders, attachState } from '../http/response-headers.js';
import { originProblem } from '../cors/decide-cors.js';
import { RESOLVED_CORS, type ResolvedCors } from '../cors/cors.options.js';
import { type HeaderSettings, templateParts, HEADER_SETTINGS } from '../headers/header-settings.js';
import { chooseRequestId } from '../request-id/request-id.options.js';
import type { EdgeOptions } from './edge.feature.js';
import { TLS_PROBLEM } from '../websockets/websockets.feature.js';
import { CHECK_FAILED_PROBLEM } from './request-head.js';
import { answerOnSocket, answerPreflight, answerProblem } from './answer.js';
import { closeWithConnection, hasResponseEnded } from '../common/response-end.js';
import { UNGUARDED_LIMITER, type UnguardedLimiter } from '../common/unguarded-limiter.js';
import { ANSWER_NOW, type AnswerNow } from '../http/unread-body.js';
import {
  EDGE_CHECKS,
  EDGE_STAGES,
  type EdgeCheck,
  type EdgeFinding,
  type EdgeStage,
  PREFLIGHT,
} from '../common/edge-stage.js';

@Injectable()
export class Edge {
  readonly #log = new Logger('AgentSecurity');
  readonly #template: HeaderTemplate;
  readonly #clients: ClientReader;
  /** Charges a request that failed before `RateLimitGuard`. */
  readonly #chargeFailed: ((state: RequestState) => void) | undefined;

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: EdgeOptions,
    @Inject(RESOLVED_CORS) private readonly cors: ResolvedCors | false,
    @Inject(HEADER_SETTINGS) settings: HeaderSettings,
    @Inject(EDGE_CHECKS) private readonly checks: readonly EdgeCheck[],
    @Inject(EDGE_STAGES) private readonly stages: readonly EdgeStage[],
    @Inject(ANSWER_NOW) private readonly answerNow: AnswerNow,
    @Inject(HandshakeAuthenticator) private readonly handshakes: HandshakeAuthenticator | undefined,
    @Inject(UNGUARDED_LIMITER) limiter: UnguardedLimiter,
    @Inject(RejectionEvents) private readonly rejectionEvents: RejectionEvents,
  ) {
    this.#template = compileHeaderTemplate(templateParts(settings));
    this.#clients = new ClientReader(options.trustProxy, this.#log);
    this.#chargeFailed = options.rateLimit ? state => limiter.chargeFailed?.(state) : undefined;
  }

  /**
   * Attaches the response headers and runs the checks and the stages.
   * @param sendContinue sends `100 Continue`, where the client waits for it
   * @returns false if the edge has written the response (or will)
   */
  admit(
    request: PlatformRequest,
    response: PlatformResponse,
    sendContinue?: () => void,
  ): boolean | Promise<boolean> {
    const raw = rawRequest(request);
    const state = this.#begin(request, raw, rawResponse(response));
    if (sendContinue !== undefined) state.awaitContinue(sendContinue);
    const problem = this.#check(raw, state);
    if (problem === undefined) {
      const stages = this.#findStages(raw);
      const { body } = this.options;
      if (body !== false && !stages.some(stage => stage.readsBody))
        state.body = limitBody(raw, body, fields => this.answerNow(raw, rawResponse(response), fields));
      return stages.length === 0 || this.#runStages(stages, request, response, state);
    }
    takeOver(response);
    if (problem === PREFLIGHT) answerPreflight(raw, rawResponse(response), this.cors as ResolvedCors);
    else this.#answer(raw, rawResponse(response), state, problem);
    return false;
  }

  /** The stages that claim a request. Usually there is none, and then nothing is allocated. */
  #findStages(raw: IncomingMessage): readonly EdgeStage[] {
    let claiming: EdgeStage[] | undefined;
    for (const stage of this.stages) if (stage.claims(raw)) (claiming ??= []).push(stage);
    return claiming ?? NO_STAGES;
  }

  #answer(raw: IncomingMessage, response: ServerResponse, state: RequestState, problem: ProblemFields): void {
    const stage = this.stages.find(each => each.reject !== undefined && each.claims(raw));
    if (stage === undefined) answerProblem(raw, response, problem, state.id, this.options.errors);
    else stage.reject!(raw, response, state, problem);
  }

  async #runStages(
    stages: readonly EdgeStage[],
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
      // The body may have been rejected while a stage waited, or the connection closed.
      return !rawAnswer.headersSent && !hasResponseEnded(rawAnswer);
    } catch (error) {
      const problem = this.#failed(error);
      takeOver(response);
      if (rawAnswer.headersSent) rawAnswer.destroy();
      else answerProblem(raw, rawAnswer, problem, state.id, this.options.errors);
      return false;
    }
  }

  /**
   * Checks an upgrade (a WebSocket handshake) like a request that changes state: a browser sends it without a preflight
   * and can read the messages.
   * @returns false if the edge has written the response
   */
  admitUpgrade(raw: IncomingMessage, socket: Duplex): boolean | Promise<boolean> {
    const state = this.#newState(raw, NO_RESPONSE);
    const problem = this.#check(raw, state, 'UPGRADE') ?? this.#checkTls(state);
    if (problem !== undefined) {
      this.#rejectUpgrade(socket, state, problem === PREFLIGHT ? originProblem(raw.headers) : problem);
      return false;
    }
    if (this.handshakes !== undefined) return this.#authenticate(raw, socket, state);
    attachUpgrade(raw, socket, state);
    return true;
  }

  #checkTls({ client }: RequestState): ProblemFields | undefined {
    return this.options.webSockets.requireTls && !client.secure ? TLS_PROBLEM : undefined;
  }

  async #authenticate(raw: IncomingMessage, socket: Duplex, state: RequestState): Promise<boolean> {
    const rejection = await this.handshakes!.authenticate(raw, state).catch((error: unknown) => ({
      problem: this.#failed(error),
      headers: [],
    }));
    if (socket.destroyed) return false;
    if (rejection === undefined) {
      attachUpgrade(raw, socket, state);
      return true;
    }
    this.#rejectUpgrade(socket, state, rejection.problem, rejection.headers);
    return false;
  }

  #rejectUpgrade(
    socket: Duplex,
    state: RequestState,
    fields: ProblemFields,
    rejectionHeaders: readonly string[] = [],
  ): void {
    const headers = [
      ...fixedHeaders(state),
      ...(state.cors.grantHeaders ?? []),
      ...(state.limits.quotaHeaders ?? []),
      ...rejectionHeaders,
    ];
    state.reject(fields);
    answerOnSocket(socket, fields, headers, state.id, this.options.errors);
  }

  /** Responds to bytes that Node's parser rejected. */
  answerMalformed(socket: Duplex, fields: ProblemFields): void {
    const { requestId } = this.options;
    const id = requestId === false ? '' : requestId.generate();
    const secure = (socket as TLSSocket).encrypted === true;
    const headers = fixedHeaders({ id, template: this.#template, client: { secure } });
    if (!answerOnSocket(socket, fields, headers, id, this.options.errors)) return;
    const address = readClient(
      { address: (socket as TLSSocket).remoteAddress, encrypted: secure },
      {},
      undefined,
    ).address;
    this.rejectionEvents.emit(fields, { requestId: id || undefined, address: address || undefined });
  }

  /** Responds to a request that Node or the framework rejects before any hook, unless an edge check rejects it. */
  answerRejected(request: PlatformRequest, response: ServerResponse, fields: ProblemFields): void {
    const raw = rawRequest(request);
    const known = requestState(response);
    const state = known ?? this.#begin(request, raw, response);
    const finding = known === undefined ? this.#check(raw, state) : undefined;
    const problem = finding === undefined || finding === PREFLIGHT ? fields : finding;
    answerProblem(raw, response, problem, state.id, this.options.errors);
  }

  #begin(request: PlatformRequest, raw: IncomingMessage, response: ServerResponse): RequestState {
    closeWithConnection(response);
    const state = this.#newState(raw, response.writeHead);
    if (state.id !== '') setRequestId(request, state.id);
    state.limits.chargeFailed = this.#chargeFailed;
    attachState(response, raw, state);
    return state;
  }

  #newState(raw: IncomingMessage, writeHead: ServerResponse['writeHead']): RequestState {
    const state = new RequestState(this.#template, writeHead);
    state.outcome.onRejection = this.rejectionEvents.report;
    state.request = raw;
    const { requestId } = this.options;
    if (requestId !== false) state.id = chooseRequestId(raw.headers[requestId.lowerCaseHeader], requestId);
    return state;
  }

  #check(raw: IncomingMessage, state: RequestState, method = raw.method ?? ''): EdgeFinding {
    try {
      state.client = this.#clients.read(raw);
      let finding: EdgeFinding;
      for (const check of this.checks)
        if (finding === undefined || check.countsAll === true)
          finding = check.check(raw, state, method) ?? finding;
      return finding;
    } catch (error) {
      // From a function of the app, such as trustProxy. An error thrown in the server's event would end the process.
      return this.#failed(error);
    }
  }

  #failed(error: unknown): ProblemFields {
    this.#log.error(logLine`A request could not be checked: ${error}`);
    return CHECK_FAILED_PROBLEM;
  }
}

const NO_STAGES: readonly EdgeStage[] = [];

/** An upgrade has no response object. */
const NO_RESPONSE = undefined as unknown as ServerResponse['writeHead'];
