/* Checks requests to MCP endpoints before routing, since no guard runs where a library mounts them on the raw adapter:
 * origin → host → network → method → proxy's proof → protocol version → identity → limits → session → tool in the headers → body → messages
 * → agreement of headers and body → tools in the body. The body is put back for the endpoint. From the protocol version on, a rejection has
 * the request's ID, for which a short body is read. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticator } from '../auth/authenticator.js';
import type { Clock } from '../common/clock.js';
import { type Log, logLine } from '../common/log-text.js';
import type { EdgeStage } from '../common/edge-stage.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import type { UnguardedLimiter } from '../common/unguarded-limiter.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import { checkAgreement, readProtocolHeaders, toolInHeaders } from './check-protocol.js';
import { type CheckedHead, HeadCheck } from './head-check.js';
import { answerRejection } from './mcp-answer.js';
import type { McpPaths } from './mcp-path.js';
import type { McpProbe } from './mcp-probe.js';
import { CallerCheck, callsIn, type McpTools } from './mcp-tools.js';
import { isListedOrigin, type ResolvedMcp } from './mcp.options.js';
import {
  countByHead,
  countMessages,
  type MessageCounts,
  ONE_CALL,
  ONE_MESSAGE,
  subtractCounts,
} from './message-kinds.js';
import { type McpBody, readRejectedIds, readPost, TOOLS_LIST } from './read-messages.js';
import { CallOutcomes } from './response-messages.js';
import { ServerRevisions } from './server-revisions.js';
import { SESSION_HEADER, SessionBinding, setRequestHeader } from './session-binding.js';
import { shapeResponse } from './shape-response.js';
import { RequestsInFlight } from './requests-in-flight.js';
import { type McpExchange, type McpRejection, type RawExchange, toRejection } from './mcp-exchange.js';

export { McpTools } from './mcp-tools.js';

interface McpStageParts {
  readonly options: ResolvedMcp;
  readonly paths: McpPaths;
  /** `undefined` where `auth` is off. */
  readonly authenticator: Authenticator | undefined;
  /** `undefined` where `rateLimit` is off. */
  readonly limiter: UnguardedLimiter | undefined;
  /** Remembers used proofs of proxies for all processes. */
  readonly engine: Pick<QuotaEngine, 'remember'>;
  readonly tools: McpTools;
  readonly clock: Clock;
  readonly log: Log;
  readonly typeBase: string | undefined;
  /** `body.maxKeys`. */
  readonly maxKeys: number;
  readonly probe: McpProbe | undefined;
}

export class McpStage implements EdgeStage {
  readonly readsBody = true;
  readonly #head: HeadCheck;
  readonly #caller: CallerCheck;
  readonly #sessions = new SessionBinding();
  readonly #revisions = new ServerRevisions();
  readonly #inFlight = new RequestsInFlight();

  constructor(private readonly parts: McpStageParts) {
    const { options, clock, log, authenticator, engine } = parts;
    this.#head = new HeadCheck(options, clock, log, engine);
    this.#caller = new CallerCheck(authenticator, options.publicTools);
  }

  claims(raw: IncomingMessage): boolean {
    return this.parts.paths.has(raw.url ?? '');
  }

  allowsOrigin(raw: IncomingMessage, origin: string): boolean {
    return isListedOrigin(origin, this.parts.options) && this.claims(raw);
  }

  /** Answers a request that a check of the edge rejects. */
  reject(raw: IncomingMessage, response: ServerResponse, state: RequestState, problem: ProblemFields): void {
    this.#answer({ raw, response, state }, toRejection(problem));
  }

  run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    const { probe } = this.parts;
    return probe === undefined
      ? this.#run(raw, response, state)
      : probe.measure(state, () => this.#run(raw, response, state));
  }

  async #run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    const head = this.#head.check(raw, state);
    if ('problem' in head) return this.#answer({ raw, response, state }, head);
    // The only OPTIONS that the head check accepts: a preflight, which carries no credential and no message.
    if (raw.method === 'OPTIONS') return true;
    const { headers } = head;
    const exchange = { raw, response, state, headers, access: new Map(), outcomes: new CallOutcomes() };
    const rejection =
      this.#head.checkRequest(raw, headers, this.#revisions) ?? (await this.#caller.identify(exchange));
    if (rejection !== undefined) return this.#answerById(exchange, rejection);
    return raw.method === 'POST' ? this.#runPost(exchange, head) : this.#runBodyless(exchange, head);
  }

  /** Calls last: the headers of the response show the limits of the last charge. */
  async #charge(
    { raw, response, state }: McpExchange,
    counts: MessageCounts,
  ): Promise<McpRejection | undefined> {
    state.limits.charged = true;
    for (const kind of ['protocol', 'call'] as const) {
      if (counts[kind] === 0) continue;
      const problem = await this.parts.limiter?.limitMcpMessages?.(raw, response, kind, counts[kind]);
      if (problem !== undefined) return toRejection(problem);
    }
    return undefined;
  }

  /** Without `auth`, sessions are not bound. */
  #checkSession({ raw, state }: McpExchange): McpRejection | undefined {
    return this.parts.authenticator && this.#sessions.unwrap(raw, state.agent?.id);
  }

  /** Where the headers name the tool, a call that is not allowed is rejected before its body is read. */
  #checkNamedTool(exchange: McpExchange): McpRejection | undefined {
    const tool = toolInHeaders(exchange.headers);
    if (tool === undefined) return undefined;
    return (
      this.#caller.requireAgentForTool(exchange.state, tool) ?? this.parts.tools.checkAccess(exchange, tool)
    );
  }

  async #runBodyless(exchange: McpExchange, { proof }: CheckedHead): Promise<boolean> {
    const { raw, state } = exchange;
    const rejection =
      (await this.#charge(exchange, ONE_MESSAGE)) ??
      this.#checkSession(exchange) ??
      (await this.#head.checkProof(proof, raw, new Uint8Array())) ??
      this.#caller.requireAgent(state);
    if (rejection !== undefined) return this.#answer(exchange, rejection);
    // A resumed stream may repeat a tool list.
    this.#shape(exchange, raw.method === 'GET', false);
    return true;
  }

  #read({ raw, state }: McpExchange, { proof }: CheckedHead): ReturnType<typeof readPost> {
    const { options, maxKeys } = this.parts;
    return readPost(raw, state, {
      maxBytes: options.maxBytes,
      maxKeys,
      checkBytes: bytes => this.#head.checkProof(proof, raw, bytes),
    });
  }

  async #runPost(exchange: McpExchange, head: CheckedHead): Promise<boolean> {
    const { raw, response } = exchange;
    const known = countByHead(exchange);
    const early = known === undefined ? await this.#read(exchange, head) : undefined;
    if (early === 'gone') {
      // An aborted body costs as much as a whole one.
      await this.#charge(exchange, ONE_CALL);
      return false;
    }
    const charged = known ?? countMessages(early!);
    const denial =
      (await this.#charge(exchange, charged)) ??
      (early !== undefined && 'problem' in early ? early : undefined) ??
      this.#checkSession(exchange) ??
      this.#checkNamedTool(exchange);
    if (denial !== undefined) return this.#answerById(exchange, denial);
    const body = early ?? (await this.#read(exchange, head));
    if (body === 'gone') return false;
    if ('problem' in body) return this.#answer(exchange, body);
    const rejection =
      checkAgreement(exchange.headers, body) ??
      this.#inFlight.add(raw, response, body.messages) ??
      (await this.#checkMessages(exchange, body, charged));
    if (rejection !== undefined) return this.#answer(exchange, { ...rejection, body });
    // A session answers by ID: a list for an abandoned request may come as the answer to this one.
    const hasList = body.messages.some(
      ({ kind, method }) => method === TOOLS_LIST || (kind === 'request' && SESSION_HEADER in raw.headers),
    );
    this.#shape(exchange, hasList, callsIn(body.messages).length > 0);
    this.#revisions.learn(raw, response, body.messages);
    this.parts.probe?.passMessages(exchange, body.messages);
    return true;
  }

  /** All messages or none: a batch is one request. */
  async #checkMessages(
    exchange: McpExchange,
    { messages }: McpBody,
    charged: MessageCounts,
  ): Promise<McpRejection | undefined> {
    const { tools } = this.parts;
    const needsAgent = this.#caller.requireAgentForMessages(exchange.state, messages);
    if (needsAgent !== undefined) return needsAgent;
    const calls = callsIn(messages);
    for (const { tool } of calls) {
      const rejection = tools.checkAccess(exchange, tool);
      if (rejection !== undefined) return rejection;
    }
    const rejection = await this.#charge(exchange, subtractCounts(countMessages({ messages }), charged));
    return rejection ?? (calls.length === 0 ? undefined : tools.start(calls, exchange));
  }

  #shape({ raw, response, state, outcomes }: McpExchange, hasList: boolean, hasCalls: boolean): void {
    const { options, log, authenticator, probe } = this.parts;
    // What a compressor of the app has encoded cannot be read.
    if (hasList || hasCalls) setRequestHeader(raw, 'accept-encoding', undefined);
    shapeResponse(response, {
      isVisible: hasList ? tool => this.#isVisible(state, tool) : undefined,
      outcomes: hasCalls || (probe !== undefined && raw.method === 'POST') ? outcomes : undefined,
      signSession: authenticator ? id => this.#sessions.sign(id, state.agent?.id) : undefined,
      maxBytes: options.maxBytes,
      onUnreadable: () =>
        log.warn(logLine`A tool list is longer than mcp.maxBytes (${options.maxBytes}), and was not sent.`),
    });
  }

  #isVisible(state: RequestState, tool: string): boolean {
    this.parts.probe?.listTool(tool);
    const needsAgent = this.#caller.requireAgentForTool(state, tool) !== undefined;
    return !needsAgent && this.parts.tools.policy.isVisible(state.agent, tool);
  }

  async #answerById(exchange: McpExchange, rejection: McpRejection): Promise<false> {
    const { options, maxKeys } = this.parts;
    const ids = await readRejectedIds(exchange.raw, { maxBytes: options.maxBytes, maxKeys });
    return this.#answer(exchange, { ...rejection, ...ids });
  }

  #answer(target: RawExchange, rejection: McpRejection): false {
    const { problem, body, isRecorded = false } = rejection;
    target.state.reject(problem);
    this.parts.probe?.rejectMessages(target.state, rejection);
    if (!isRecorded) {
      const named = toolInHeaders(readProtocolHeaders(target.raw));
      const namedCalls = named === undefined ? [] : [{ tool: named }];
      this.parts.tools.reject(problem, body ? callsIn(body.messages) : namedCalls, target);
    }
    answerRejection(target, rejection, this.parts.typeBase);
    return false;
  }
}
