/* Verifies DPoP proofs (RFC 9449): a token that is bound to a key cannot be used by an attacker who has only the token. */
import { hash, type KeyObject } from 'node:crypto';
import { isRecord } from '../common/read-options.js';
import type { Jose } from './jose.js';
import { readJws } from './read-jws.js';
import { readJsonObject } from './read-form.js';
import type { ReplayMemory } from './token-cache.js';
import { isOfType, type Jwk, readPublicJwk } from './token-key.js';

export interface DpopRules {
  readonly required: boolean;
  readonly algorithms: readonly string[];
  /** How old a proof may be. */
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  readonly seen: ReplayMemory;
}

export interface DpopRequest {
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

/** The thumbprint of the key that signed the proof (RFC 7638); `undefined` for an invalid proof. */
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
  const thumbprint = await jose.calculateJwkThumbprint(key.export({ format: 'jwk' }) as never, 'sha256');
  if (boundTo !== undefined && thumbprint !== boundTo) return undefined;
  try {
    await jose.compactVerify(proof, key, { algorithms: [jws.alg] });
  } catch {
    return undefined;
  }
  // Last, so that only valid proofs use room in the memory.
  const id = hash('sha256', `${thumbprint} ${jti}`, 'base64url');
  return rules.seen.add(holder, id, nowMs) ? thumbprint : undefined;
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
  try {
    const [proof, own] = [new URL(htu), new URL(url)];
    return (
      proof.origin !== 'null' &&
      proof.origin === own.origin &&
      proof.pathname === own.pathname &&
      proof.username === '' &&
      proof.password === ''
    );
  } catch {
    return false;
  }
}
