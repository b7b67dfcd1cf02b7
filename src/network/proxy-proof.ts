/* Proof that a request passed a proxy with a secret: an HMAC over the time, a nonce and the request. A header with a
 * fixed value would be a password that every hop can read and replay. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { isToken } from '../common/http-request.js';
import { integer, type OptionTable, readTable, type Resolved } from '../common/option-table.js';
import { readStringList, receivedError } from '../common/read-options.js';

/**
 * The proof of a proxy, in `mcp.proxyProof`.
 * @example
 * mcp: { path: '/mcp', proxyProof: { secrets: [secret] } }
 */
export interface ProxyProofOptions {
  /** The secrets of the proxies, at least 32 characters each. List two while one replaces the other. */
  secrets: readonly string[];
  /** The header of the proof. @default 'X-Proxy-Signature' */
  header?: string;
  /** The greatest age of a proof in seconds, and the greatest lead of a proxy's clock: 1 to 3600. @default 60 */
  maxAgeSeconds?: number;
}

const TABLE = {
  secrets: readSecrets,
  header: readHeader,
  maxAgeSeconds: integer(60, 1, 3_600),
} satisfies OptionTable<ProxyProofOptions>;

type ResolvedProxyProof = Resolved<typeof TABLE>;

export function resolveProxyProof(option: string, input: unknown): ResolvedProxyProof {
  return readTable(option, input, TABLE);
}

function readSecrets(option: string, value: unknown): readonly string[] {
  const secrets = readStringList(option, value, []);
  if (secrets.length > 0 && secrets.every(secret => secret.length >= 32)) return secrets;
  throw new AgentSecurityConfigError(
    'ASEC_PROXY_SECRET',
    option,
    'must hold secrets of at least 32 characters, received others',
    'Make one with: openssl rand -hex 32. Give it to the proxy and to this app alone.',
  );
}

function readHeader(option: string, value: unknown = 'X-Proxy-Signature'): string {
  if (typeof value === 'string' && isToken(value)) return value.toLowerCase();
  throw receivedError(
    'ASEC_OPTION_TYPE',
    option,
    'must be the name of a header',
    'Write for example "X-Proxy-Signature".',
    value,
  );
}

/**
 * The request that a proof signs.
 * @example
 * const request: ProvenRequest = { method: 'POST', target: '/mcp', body: Buffer.from(text) };
 */
export interface ProvenRequest {
  readonly method: string;
  /** The request target of the request line: `/mcp?a=b`. */
  readonly target: string;
  readonly body: Uint8Array;
}

/**
 * Computes the proof's header for a request, for proxies in JavaScript and for tests.
 * @example
 * request.setHeader('X-Proxy-Signature', signProxyRequest(secret, { method: 'POST', target: '/mcp', body }));
 */
export function signProxyRequest(
  secret: string,
  request: ProvenRequest,
  { nowMs = Date.now(), nonce = randomBytes(16).toString('hex') } = {},
): string {
  const seconds = Math.floor(nowMs / 1_000);
  return `t=${seconds},n=${nonce},v1=${signatureOf(secret, seconds, nonce, request)}`;
}

function signatureOf(
  secret: string,
  seconds: number,
  nonce: string,
  { method, target, body }: ProvenRequest,
): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return createHmac('sha256', secret)
    .update(['v1', seconds, nonce, method, target, digest].join('\n'))
    .digest('hex');
}

export interface ProxyProof {
  readonly seconds: number;
  readonly nonce: string;
  readonly signature: string;
}

type ProofDecision<Proven = unknown> =
  | ({ readonly proven: true } & Proven)
  | {
      readonly proven: false;
      readonly reason: 'missing' | 'malformed' | 'stale' | 'wrong' | 'replayed' | 'full';
    };

const rejected = <const R extends string>(reason: R) => ({ proven: false, reason }) as const;

/** `t=<epoch seconds>,n=<nonce>,v1=<hex>` */
const PROOF = /^t=(\d{1,12}),n=([\w-]{16,64}),v1=([0-9a-f]{64})$/;

/** More nonces than a proxy creates while they are valid. Beyond it requests are rejected, since a replay could not be detected. */
const MAX_NONCES = 200_000;

export class ProxyProofs {
  /** The expiry of each nonce, oldest first. */
  readonly #nonces = new Map<string, number>();
  readonly #maxAgeMs: number;

  constructor(
    private readonly options: ResolvedProxyProof,
    private readonly epochMs: () => number,
  ) {
    this.#maxAgeMs = options.maxAgeSeconds * 1_000;
  }

  /** Checks the header's format and time, before the body is read. */
  precheck(text: string | undefined): ProofDecision<{ readonly proof: ProxyProof }> {
    if (text === undefined) return rejected('missing');
    const [, time, nonce, signature] = PROOF.exec(text) ?? [];
    if (nonce === undefined || signature === undefined) return rejected('malformed');
    const seconds = Number(time);
    if (!this.#isFresh(seconds, this.epochMs())) return rejected('stale');
    return { proven: true, proof: { seconds, nonce, signature } };
  }

  /** Checks the time and the signature of a prechecked proof, and stores its nonce against replays. */
  check(proof: ProxyProof, request: ProvenRequest): ProofDecision {
    const nowMs = this.epochMs();
    // Again: a body can be held back until the proof has expired, and its nonce was dropped.
    if (!this.#isFresh(proof.seconds, nowMs)) return rejected('stale');
    const received = Buffer.from(proof.signature, 'hex');
    let matches = false;
    // All secrets are compared, so that the time does not reveal which of them matches.
    for (const secret of this.options.secrets) {
      const expected = Buffer.from(signatureOf(secret, proof.seconds, proof.nonce, request), 'hex');
      if (timingSafeEqual(expected, received)) matches = true;
    }
    if (!matches) return rejected('wrong');
    // The nonces are nearly in the order of their expiry; those after a valid one are dropped later.
    for (const [nonce, endMs] of this.#nonces) {
      if (endMs >= nowMs) break;
      this.#nonces.delete(nonce);
    }
    if (this.#nonces.has(proof.nonce)) return rejected('replayed');
    if (this.#nonces.size >= MAX_NONCES) return rejected('full');
    // Until the proof expires: its time, which may be in the future, plus its greatest age.
    this.#nonces.set(proof.nonce, proof.seconds * 1_000 + this.#maxAgeMs);
    return { proven: true };
  }

  #isFresh(seconds: number, nowMs: number): boolean {
    return Math.abs(nowMs - seconds * 1_000) <= this.#maxAgeMs;
  }
}
