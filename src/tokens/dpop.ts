/* Verifies DPoP proofs (RFC 9449): a token that is bound to a key cannot be used by an attacker who has only the token. */
import { hash, type KeyObject } from 'node:crypto';
import { isRecord } from '../common/read-options.js';
import { type Jose, readJsonObject, readJws } from './read-jws.js';
import { isOfType, type Jwk, readPublicJwk, thumbprint } from './token-key.js';

export interface DpopRules {
  readonly required: boolean;
  readonly algorithms: readonly string[];
  /** How old a proof may be. */
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  readonly seen: UsedProofs;
}

interface DpopRequest {
  readonly method: string;
  readonly url: string;
  /** The value of the `DPoP` header. Several lines arrive joined by a comma, which no proof holds. */
  readonly proof: string;
  /** The token that `ath` must hash; `undefined` at the token endpoint. */
  readonly accessToken: string | undefined;
  /** The thumbprint of the key that must have signed the proof; `undefined` for any key. */
  readonly boundTo: string | undefined;
  /** The agent whose share of the replay memory the proof uses. An agent may have any number of keys. */
  readonly holder: string;
}

const MAX_PROOF_LENGTH = 4_096;
const MAX_ID_LENGTH = 256;

/**
 * The thumbprint of the key that signed the proof (RFC 7638); `undefined` for an invalid proof. Rejects if it cannot be known whether the
 * proof was used before.
 */
export async function checkProof(
  jose: Jose,
  request: DpopRequest,
  rules: DpopRules,
  nowMs: number,
): Promise<string | undefined> {
  const { proof, accessToken, boundTo, holder } = request;
  const jws = proof.length > MAX_PROOF_LENGTH ? undefined : readJws(proof);
  if (jws === undefined || jws.typ !== 'dpop+jwt' || !rules.algorithms.includes(jws.alg)) return undefined;
  const jwk = jws.header['jwk'];
  const key = isRecord(jwk) ? proofKey(jwk, jws.alg) : undefined;
  const claims = readJsonObject(jws.payload);
  if (key === undefined || claims === undefined) return undefined;
  const { jti, htm, htu, iat, ath } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_LENGTH) return undefined;
  if (htm !== request.method || typeof htu !== 'string' || !isSameTarget(htu, request.url)) return undefined;
  if (typeof iat !== 'number' || !isRecent(iat * 1_000, rules, nowMs)) return undefined;
  if (accessToken !== undefined && ath !== hash('sha256', accessToken, 'base64url')) return undefined;
  const signer = thumbprint(key);
  if (boundTo !== undefined && signer !== boundTo) return undefined;
  try {
    await jose.compactVerify(proof, key, { algorithms: [jws.alg] });
  } catch {
    return undefined;
  }
  // Last, so that only valid proofs use room in the memory.
  const id = hash('sha256', `${signer} ${jti}`, 'base64url');
  return (await rules.seen.add(holder, id, nowMs)) ? signer : undefined;
}

function proofKey(jwk: Jwk, alg: string): KeyObject | undefined {
  // The proof must not contain a private key (RFC 9449 section 4.3, step 7).
  if ('d' in jwk) return undefined;
  try {
    const { key, alg: own } = readPublicJwk(jwk);
    return (own === undefined || own === alg) && isOfType(key, alg) ? key : undefined;
  } catch {
    return undefined;
  }
}

function isRecent(iatMs: number, { maxAgeMs, clockToleranceMs }: DpopRules, nowMs: number): boolean {
  return iatMs > nowMs - maxAgeMs - clockToleranceMs && iatMs <= nowMs + clockToleranceMs;
}

/** Without query and fragment (RFC 9449 section 4.3, step 9). */
function isSameTarget(htu: string, url: string): boolean {
  if (!URL.canParse(htu) || !URL.canParse(url)) return false;
  const { origin, pathname, username, password } = new URL(htu);
  const own = new URL(url);
  return (
    origin !== 'null' && origin === own.origin && pathname === own.pathname && username + password === ''
  );
}

/** The proofs that are used up, in this process or in all of them. */
export interface UsedProofs {
  /** Adds a proof. @returns false if it was used before, or if its holder has no room left. Rejects if that cannot be known. */
  add(holder: string, id: string, nowMs: number): boolean | Promise<boolean>;
}

/** About 20 MB at most, in two generations. Per process. */
const MAX_ENTRIES = 100_000;

/**
 * Remembers the IDs of proofs, so that none is accepted twice. Two generations: an ID is remembered for at least `windowMs` and at most
 * twice that. A full memory rejects new IDs, because forgetting one would allow its replay.
 *
 * A holder may have as many entries as there is room left: one alone uses at most half, the next half of the rest. Filling 100,000 entries
 * takes 17 holders, and lasts until the generation ends.
 */
export class ReplayMemory implements UsedProofs {
  #young = new Set<string>();
  #old = new Set<string>();
  /** The number of young entries of each holder. */
  readonly #held = new Map<string, number>();
  #turnedMs = -Infinity;

  constructor(
    private readonly windowMs: number,
    private readonly max = MAX_ENTRIES,
  ) {}

  /** Adds an ID. @returns false if it is known, or if its holder has no room left */
  add(holder: string, id: string, nowMs: number): boolean {
    const sinceTurnMs = nowMs - this.#turnedMs;
    if (sinceTurnMs >= this.windowMs) {
      this.#old = sinceTurnMs >= 2 * this.windowMs ? new Set() : this.#young;
      this.#young = new Set();
      this.#held.clear();
      this.#turnedMs = nowMs;
    }
    const held = this.#held.get(holder) ?? 0;
    if (this.#young.has(id) || this.#old.has(id) || held >= this.max - this.#young.size) return false;
    this.#young.add(id);
    this.#held.set(holder, held + 1);
    return true;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
