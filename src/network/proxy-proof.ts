/* Proof that a request came through a proxy that knows a secret: an HMAC over the moment, a number used once, and the request itself.
 * A header with a fixed value would be a password that every hop reads and anybody can send again. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { AgentSecurityConfigError } from '../common/config-error.js';
import { isToken } from '../common/is-token.js';
import { integer, type OptionTable, readTable } from '../common/option-table.js';
import { readStringList, receivedError } from '../common/read-options.js';

export interface ProxyProofOptions {
  /** The secrets that proxies sign with, at least 32 characters each; several while one replaces another. */
  secrets: readonly string[];
  /** The header that carries the proof. @default 'X-Proxy-Signature' */
  header?: string;
  /** How old a proof may be, and how far ahead a proxy's clock. @default 60 */
  maxAgeSeconds?: number;
}

const TABLE = {
  secrets: readSecrets,
  header: readHeader,
  maxAgeSeconds: integer(60, 1, 3_600),
} satisfies OptionTable<ProxyProofOptions>;

export interface ResolvedProxyProof {
  readonly secrets: readonly string[];
  readonly header: string;
  readonly maxAgeMs: number;
}

export function resolveProxyProof(option: string, input: unknown): ResolvedProxyProof {
  const { secrets, header, maxAgeSeconds } = readTable(option, input, TABLE);
  return { secrets, header, maxAgeMs: maxAgeSeconds * 1_000 };
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

/** What a proof speaks for. */
export interface ProvenRequest {
  readonly method: string;
  /** The request target as it stands in the request line: `/mcp?a=b`. */
  readonly target: string;
  readonly body: Uint8Array;
}

export interface ProxyProof {
  readonly seconds: number;
  readonly nonce: string;
  readonly signature: string;
}

const PROOF = /^t=(\d{1,12}),n=([\w-]{16,64}),v1=([0-9a-f]{64})$/;

/** Reads `t=<epoch seconds>,n=<nonce>,v1=<hex>`, strictly. */
export function parseProof(text: string): ProxyProof | undefined {
  const match = PROOF.exec(text);
  return match ? { seconds: Number(match[1]), nonce: match[2]!, signature: match[3]! } : undefined;
}

/**
 * The value of the proof's header for a request, for proxies written in JavaScript and for tests.
 * @example
 * request.setHeader('X-Proxy-Signature', signProxyRequest(secret, { method: 'POST', target: '/mcp', body }));
 */
export function signProxyRequest(
  secret: string,
  request: ProvenRequest,
  {
    nowMs = Date.now(),
    nonce = createHash('sha256')
      .update(crypto.getRandomValues(new Uint8Array(32)))
      .digest('hex')
      .slice(0, 32),
  } = {},
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

/** Numbers of more proofs than a proxy makes in their lifetime; beyond it, requests are refused rather than let through twice. */
const MAX_NONCES = 200_000;

export type ProofDecision =
  | { readonly proven: true }
  | {
      readonly proven: false;
      readonly reason: 'missing' | 'malformed' | 'stale' | 'wrong' | 'replayed' | 'full';
    };

const rejected = (reason: Exclude<ProofDecision, { proven: true }>['reason']): ProofDecision => ({
  proven: false,
  reason,
});

export class ProxyProofs {
  /** Until when each number is remembered, oldest first. */
  readonly #nonces = new Map<string, number>();

  constructor(
    private readonly options: Pick<ResolvedProxyProof, 'secrets' | 'maxAgeMs'>,
    private readonly epochMs: () => number,
  ) {}

  /** What the header alone tells, before a body is read for it. */
  precheck(text: string | undefined): ProofDecision & { readonly proof?: ProxyProof } {
    if (text === undefined) return rejected('missing');
    const proof = parseProof(text);
    if (proof === undefined) return rejected('malformed');
    const isFresh = Math.abs(this.epochMs() - proof.seconds * 1_000) <= this.options.maxAgeMs;
    return isFresh ? { proven: true, proof } : rejected('stale');
  }

  /** Judges a proof that was prechecked, and remembers it, so that it counts once. */
  check(proof: ProxyProof, request: ProvenRequest): ProofDecision {
    const received = Buffer.from(proof.signature, 'hex');
    let matches = false;
    // Every secret is tried, so that the time does not tell which of them signed.
    for (const secret of this.options.secrets) {
      const expected = Buffer.from(signatureOf(secret, proof.seconds, proof.nonce, request), 'hex');
      if (timingSafeEqual(expected, received)) matches = true;
    }
    if (!matches) return rejected('wrong');
    this.#forget();
    if (this.#nonces.has(proof.nonce)) return rejected('replayed');
    if (this.#nonces.size >= MAX_NONCES) return rejected('full');
    // As long as the proof could be shown again: its own time, which may lie ahead, and then its age.
    this.#nonces.set(proof.nonce, proof.seconds * 1_000 + this.options.maxAgeMs);
    return { proven: true };
  }

  #forget(): void {
    const nowMs = this.epochMs();
    // Nearly in the order of their ends: what lies behind one that still counts is looked at later.
    for (const [nonce, endMs] of this.#nonces) {
      if (endMs >= nowMs) break;
      this.#nonces.delete(nonce);
    }
  }
}
