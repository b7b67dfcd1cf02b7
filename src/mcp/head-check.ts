/* Checks the head of a request to an MCP endpoint before it is authenticated. First the peer: origin → host → network → method → proxy's
 * proof. Then the request: protocol version → credentials in the URL. */
import type { IncomingMessage } from 'node:http';
import { CREDENTIAL_IN_URL_PROBLEM } from '../auth/credential-rejections.js';
import { namesParameter } from '../auth/read-credential.js';
import type { Clock } from '../common/clock.js';
import { joinKey } from '../common/join-key.js';
import type { Log } from '../common/log-text.js';
import type { ProblemFields } from '../common/problem.js';
import type { RequestState } from '../common/request-state.js';
import { isOwnPage, isPreflight, originProblem } from '../cors/decide-cors.js';
import { matchesHost } from '../host/check-host.js';
import { LIMITS_UNAVAILABLE, type QuotaEngine } from '../limiter/quota-engine.js';
import { isFromNetwork, NETWORK_PROBLEM } from '../network/check-network.js';
import { type ProxyProof, ProxyProofs } from '../network/proxy-proof.js';
import { checkVersion, isStateless, type ProtocolHeaders, readProtocolHeaders } from './check-protocol.js';
import { type McpRejection, toRejection } from './mcp-exchange.js';
import { isListedOrigin, type ResolvedMcp } from './mcp.options.js';
import type { ServerRevisions } from './server-revisions.js';
import { setRequestHeader } from './session-binding.js';
import { withCause } from '../common/rejection.js';
import { hostProblem } from '../host/host-problem.js';

export interface CheckedHead {
  readonly headers: ProtocolHeaders;
  readonly proof: ProxyProof | undefined;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'DELETE']);

export class HeadCheck {
  readonly #proofs: ProxyProofs | undefined;

  constructor(
    private readonly options: ResolvedMcp,
    clock: Clock,
    private readonly log: Log,
    private readonly engine: Pick<QuotaEngine, 'remember'>,
  ) {
    const { proxyProof } = options;
    this.#proofs = proxyProof && new ProxyProofs(proxyProof, () => clock.epochMs());
  }

  /** Whether the peer may send requests to the endpoint. A rejection is answered from the head alone. */
  check(raw: IncomingMessage, state: RequestState): CheckedHead | McpRejection {
    const method = raw.method ?? '';
    const headers = readProtocolHeaders(raw);
    if (!this.#isOwnPage(raw, state)) return toRejection(originProblem(raw.headers, 'mcp.origins'));
    const { hosts, network } = this.options;
    if (hosts !== undefined && (state.host === undefined || !matchesHost(state.host, hosts)))
      return toRejection(hostProblem('not-listed', state.host?.name, 'mcp.hosts'));
    if (!isFromNetwork(state.client, raw.headers, network)) return toRejection(NETWORK_PROBLEM);
    // It carries no credential. With `cors`, it has been answered before; without, the app's own middleware answers it.
    if (isPreflight(raw)) return { headers, proof: undefined };
    // Revisions without sessions have nothing to GET or to DELETE.
    if (!METHODS.has(method) || (isStateless(headers.version) && method !== 'POST')) {
      return toRejection(METHOD_PROBLEM, {
        headers: ['Allow', isStateless(headers.version) ? 'POST' : 'GET, POST, DELETE'],
      });
    }
    const proof = this.#takeProof(raw);
    if (proof !== undefined && 'problem' in proof) return proof;
    return { headers, proof };
  }

  /** Checks what the head of an accepted peer's request says. @param revisions what the servers have said that they support */
  checkRequest(
    raw: IncomingMessage,
    headers: ProtocolHeaders,
    revisions: ServerRevisions,
  ): McpRejection | undefined {
    const { versions } = this.options;
    const target = raw.url ?? '';
    const fault = checkVersion(headers, versions, () => revisions.supportedAt(target, versions));
    if (fault !== undefined) return fault;
    return namesParameter(target, URL_CREDENTIALS) ? toRejection(CREDENTIAL_IN_URL_PROBLEM) : undefined;
  }

  /** Whether the request comes from no page, from a page of the app or from a listed one. */
  #isOwnPage({ headers }: IncomingMessage, state: RequestState): boolean {
    const { origin } = headers;
    if (
      origin !== undefined &&
      (state.cors.grantHeaders !== undefined || isListedOrigin(origin, this.options))
    )
      return true;
    const secFetchSite = headers['sec-fetch-site'] as string | undefined;
    return isOwnPage({ origin, secFetchSite, host: state.host, secure: state.client.secure });
  }

  /** Removes the proof from the request, which a log of the app might show, and checks it as far as that is possible without the body. */
  #takeProof(raw: IncomingMessage): ProxyProof | McpRejection | undefined {
    const { proxyProof } = this.options;
    if (proxyProof === undefined) return undefined;
    const text = raw.headers[proxyProof.header];
    setRequestHeader(raw, proxyProof.header, undefined);
    const decision = this.#proofs!.precheck(text === undefined ? undefined : String(text));
    return decision.proven ? decision.proof : this.#unproven(decision.reason);
  }

  async checkProof(
    proof: ProxyProof | undefined,
    raw: IncomingMessage,
    body: Uint8Array,
  ): Promise<McpRejection | undefined> {
    if (proof === undefined) return undefined;
    const decision = this.#proofs!.check(proof, { method: raw.method ?? '', target: raw.url ?? '', body });
    if (!decision.proven) return this.#unproven(decision.reason);
    // A proof may be as long in the future as it may be old.
    const lifetimeMs = 2_000 * this.options.proxyProof!.maxAgeSeconds;
    const isNew = await this.engine.remember(joinKey('proxy-proof', proof.nonce), lifetimeMs);
    if (isNew === 'unavailable')
      return toRejection(LIMITS_UNAVAILABLE.problem, { headers: LIMITS_UNAVAILABLE.headers });
    return isNew ? undefined : this.#unproven('replayed');
  }

  #unproven(reason: string): McpRejection {
    if (reason === 'full')
      this.log.warn(
        'Too many proofs of proxies within their lifetime: requests to MCP endpoints are rejected.',
      );
    return toRejection(withCause(PROOF_PROBLEM, { reason }));
  }
}

/** Names under which credentials come in URLs (RFC 6750 section 2.3; MCP, "Access Token Usage"). */
const URL_CREDENTIALS: ReadonlySet<string> = new Set(['access_token', 'api_key', 'apikey', 'token']);

const METHOD_PROBLEM: ProblemFields = {
  status: 405,
  code: 'method_not_allowed',
  detail: 'The method is not one of this endpoint.',
};
const PROOF_PROBLEM: ProblemFields = {
  status: 403,
  code: 'proxy_proof_invalid',
  detail: 'The request carries no valid proof of its proxy.',
};
