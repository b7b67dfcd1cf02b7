/* Judges what comes to MCP endpoints before routing, since no guard runs where a library mounts them on the raw adapter:
 * origin → host → network → proxy's proof → protocol version → identity → limits → tool by header → body → messages → agreement of headers
 * and body → tool by body. The body is put back for whoever serves the endpoint. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../common/log.js';
import { tooLargeProblem } from '../body/check-body.js';
import type { Clock } from '../common/clock.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { CallOutcomes } from './call-outcomes.js';
import {
  checkAgreement,
  type ProtocolHeaders,
  readProtocolHeaders,
  toolInHeaders,
} from './check-protocol.js';
import { HeadCheck, type CheckedHead, protocolRejection } from './head-check.js';
import { answerRejection, type McpRejection } from './mcp-answer.js';
import type { McpPaths } from './mcp-path.js';
import { isListedOrigin, type ResolvedMcp } from './mcp.options.js';
import type { McpPorts, McpToolCall } from './mcp-ports.js';
import { readBody } from './read-body.js';
import { type McpBody, readMessages, toolOf, TOOLS_CALL, TOOLS_LIST } from './read-messages.js';
import { RequestsInFlight, SESSION_HEADER, SessionBinding, setRequestHeader } from './session-binding.js';
import { shapeResponse } from './shape-response.js';
import { logLine } from '../common/log-text.js';

export class McpStage {
  readonly readsBody = true;
  readonly #head: HeadCheck;
  readonly #sessions = new SessionBinding();
  readonly #inFlight = new RequestsInFlight();

  constructor(
    private readonly options: ResolvedMcp,
    private readonly paths: McpPaths,
    private readonly ports: McpPorts,
    clock: Clock,
    private readonly log: Log,
    private readonly typeBase: string | undefined,
    /** `body.maxKeys`. */
    private readonly maxKeys: number,
  ) {
    this.#head = new HeadCheck(options, clock, log);
  }

  claims(raw: IncomingMessage): boolean {
    return this.paths.has(raw.url ?? '');
  }

  allowsOrigin(raw: IncomingMessage, origin: string): boolean {
    return isListedOrigin(origin, this.options) && this.claims(raw);
  }

  /** For a request that was refused in front of this stage. */
  reject(raw: IncomingMessage, response: ServerResponse, state: RequestState, fields: ProblemFields): void {
    this.#answer(raw, response, state, { fields });
  }

  async run(raw: IncomingMessage, response: ServerResponse, state: RequestState): Promise<boolean> {
    const judged = this.#head.check(raw, state);
    if ('fields' in judged) return this.#answer(raw, response, state, judged);
    // The only OPTIONS that the head check accepts: a preflight, which carries no credential and no message.
    if (raw.method === 'OPTIONS') return true;
    const rejection =
      (await this.#checkCaller(raw, response, state)) ??
      this.#checkSession(raw, state) ??
      (await this.#checkNamedTool(judged.headers, raw, response, state));
    if (rejection !== undefined) return this.#answer(raw, response, state, rejection);
    if (raw.method === 'POST') return this.#runPost(raw, response, state, judged);
    const unproven = this.#head.checkProof(judged.proof, raw, NO_BYTES);
    if (unproven !== undefined) return this.#answer(raw, response, state, unproven);
    if (this.ports.identity !== undefined && state.agent === undefined) {
      return this.#answer(raw, response, state, this.ports.identity.challenge(raw, state));
    }
    // A resumed stream may repeat a tool list.
    this.#shape(raw, response, state, raw.method === 'GET', undefined);
    return true;
  }

  async #checkCaller(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
  ): Promise<McpRejection | undefined> {
    const { identity, limiter } = this.ports;
    const rejected = await identity?.identify(raw, state, this.options.publicTools !== undefined);
    if (rejected !== undefined) return rejected;
    state.limits.charged = true;
    const fields = await limiter?.limit(raw, response, 1);
    return fields && { fields };
  }

  /** A session of another agent is answered as one that nobody knows. Without `auth`, sessions are not bound. */
  #checkSession(raw: IncomingMessage, { agent }: RequestState): McpRejection | undefined {
    if (this.ports.identity === undefined || this.#sessions.unwrap(raw, agent?.id)) return undefined;
    return SESSION_UNKNOWN;
  }

  /** Where the headers name the tool, nobody has to read a body that would be refused. */
  async #checkNamedTool(
    headers: ProtocolHeaders,
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
  ): Promise<McpRejection | undefined> {
    const { identity, tools } = this.ports;
    const tool = toolInHeaders(headers);
    if (tool === undefined) return undefined;
    if (identity !== undefined && state.agent === undefined && !this.#isPublic(TOOLS_CALL, tool))
      return identity.challenge(raw, state);
    if (tools.isVisible(state.agent, tool)) return undefined;
    // What is not visible is refused before a quota is asked.
    return tools.authorize(
      [{ tool, id: undefined, params: undefined }],
      raw,
      response,
      state,
      new CallOutcomes(),
    );
  }

  async #runPost(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    { headers, proof }: CheckedHead,
  ): Promise<boolean> {
    const { maxBytes } = this.options;
    const unreadable = checkBodyHead(raw, maxBytes);
    if (unreadable !== undefined) return this.#answer(raw, response, state, { fields: unreadable });
    state.requestBody();
    const outcome = await readBody(raw, maxBytes);
    if (!outcome.read) {
      if (outcome.reason === 'gone') return false;
      return this.#answer(raw, response, state, { fields: tooLargeProblem(maxBytes) });
    }
    const unproven = this.#head.checkProof(proof, raw, outcome.bytes);
    if (unproven !== undefined) return this.#answer(raw, response, state, unproven);
    const reading = readMessages(outcome.bytes, this.maxKeys);
    if (!reading.valid) {
      const { rpcCode, detail, id } = reading.fault;
      return this.#answer(raw, response, state, {
        fields: { status: 400, code: 'mcp_invalid', detail },
        rpcCode,
        id,
      });
    }
    const { body } = reading;
    const fault = checkAgreement(headers, body);
    const outcomes = new CallOutcomes();
    const rejection = fault
      ? protocolRejection(fault)
      : (this.#checkIds(raw, response, body) ??
        (await this.#checkMessages(raw, response, state, body, outcomes)));
    if (rejection !== undefined) return this.#answer(raw, response, state, { ...rejection, body });
    const hasCalls = body.messages.some(({ method }) => method === TOOLS_CALL);
    // A session answers by ID: a list that was asked for in a request that was given up may come as the answer to this one.
    const hasList = body.messages.some(
      ({ kind, method }) => method === TOOLS_LIST || (kind === 'request' && SESSION_HEADER in raw.headers),
    );
    this.#shape(raw, response, state, hasList, hasCalls ? outcomes : undefined);
    return true;
  }

  #checkIds(raw: IncomingMessage, response: ServerResponse, { messages }: McpBody): McpRejection | undefined {
    const session = raw.headers[SESSION_HEADER];
    if (session === undefined) return undefined;
    const ids = messages.flatMap(({ kind, id }) => (kind === 'request' ? [id!] : []));
    return this.#inFlight.add(String(session), ids, response) ? undefined : ID_IN_FLIGHT;
  }

  /** All messages or none: an array is one request, and half of it would be an answer to neither half. */
  async #checkMessages(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    { messages }: McpBody,
    outcomes: CallOutcomes,
  ): Promise<McpRejection | undefined> {
    const { identity, limiter, tools } = this.ports;
    const calls = callsIn(messages);
    if (identity !== undefined && state.agent === undefined) {
      const isPublic = messages.every(message => this.#isPublic(message.method, toolOf(message)));
      if (!isPublic) return identity.challenge(raw, state);
    }
    const unseen = calls.find(({ tool }) => !tools.isVisible(state.agent, tool));
    if (unseen !== undefined) return tools.authorize([unseen], raw, response, state, outcomes);
    // One was taken before the body was read.
    if (messages.length > 1) {
      const fields = await limiter?.limit(raw, response, messages.length - 1);
      if (fields !== undefined) return { fields };
    }
    return calls.length === 0 ? undefined : tools.authorize(calls, raw, response, state, outcomes);
  }

  /** What a stranger may do where some tools are public: come in, look, and call those. */
  #isPublic(method: string, tool: string | undefined): boolean {
    if (method === TOOLS_CALL) return tool !== undefined && this.options.publicTools?.has(tool) === true;
    return PUBLIC_METHODS.has(method);
  }

  #shape(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    hasList: boolean,
    outcomes: CallOutcomes | undefined,
  ): void {
    // What a compressor of the app's own has been over could not be looked into.
    if (hasList || outcomes !== undefined) setRequestHeader(raw, 'accept-encoding', undefined);
    shapeResponse(response, {
      isVisible: hasList ? tool => this.#isVisible(state, tool) : undefined,
      outcomes,
      signSession: this.ports.identity && (id => this.#sessions.sign(id, state.agent?.id)),
      maxBytes: this.options.maxBytes,
      onUnreadable: () =>
        this.log.warn(
          logLine`A tool list is longer than mcp.maxBytes (${this.options.maxBytes}), and was not sent.`,
        ),
    });
  }

  #isVisible({ agent }: RequestState, tool: string): boolean {
    const { identity, tools } = this.ports;
    if (identity !== undefined && agent === undefined && !this.#isPublic(TOOLS_CALL, tool)) return false;
    return tools.isVisible(agent, tool);
  }

  #answer(
    raw: IncomingMessage,
    response: ServerResponse,
    state: RequestState,
    rejection: McpRejection,
  ): false {
    const named = toolInHeaders(readProtocolHeaders(raw.headers));
    const claimed: McpToolCall[] =
      named === undefined ? [] : [{ tool: named, id: undefined, params: undefined }];
    state.outcome.problem = rejection.fields.code;
    if (rejection.isRecorded !== true) {
      const calls = rejection.body ? callsIn(rejection.body.messages) : claimed;
      this.ports.tools.rejected(rejection.fields, raw, state, calls);
    }
    answerRejection(raw, response, state, rejection, this.typeBase);
    return false;
  }
}

function callsIn(messages: McpBody['messages']): readonly McpToolCall[] {
  return messages.flatMap((message): McpToolCall[] => {
    const tool = toolOf(message);
    return tool === undefined ? [] : [{ tool, id: message.id, params: message.params }];
  });
}

const SESSION_UNKNOWN: McpRejection = {
  fields: { status: 404, code: 'mcp_session_unknown', detail: 'There is no such session.' },
  // As the SDK's servers answer.
  rpcCode: -32001,
};

const ID_IN_FLIGHT: McpRejection = {
  fields: {
    status: 400,
    code: 'mcp_invalid',
    detail: 'A request of this session with this ID has no answer yet.',
  },
  rpcCode: -32600,
};

const NO_BYTES = new Uint8Array();

const PUBLIC_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'notifications/initialized',
  'notifications/cancelled',
  'ping',
  'server/discover',
  TOOLS_LIST,
]);

/** What must hold before a body is read: one JSON text in UTF-8, as it is. */
function checkBodyHead({ headers }: IncomingMessage, maxBytes: number): ProblemFields | undefined {
  const type = String(headers['content-type'] ?? '');
  // Another charset or a coding would make the body parser read something else than what was judged.
  const match = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*"?([\w-]+)"?[ \t]*)?$/i.exec(type);
  const coding = headers['content-encoding'];
  if (match === null || (match[1] !== undefined && !/^utf-?8$/i.test(match[1])))
    return { status: 415, code: 'unsupported_media_type', detail: 'A message is application/json in UTF-8.' };
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    return {
      status: 415,
      code: 'unsupported_media_type',
      detail: 'A message comes without a Content-Encoding.',
    };
  return Number(headers['content-length'] ?? 0) > maxBytes ? tooLargeProblem(maxBytes) : undefined;
}
