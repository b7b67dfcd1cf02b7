/* Proofs of possession (RFC 9449): a token that is bound to a key is of no use to whoever only copied the token. */
import { hash, type KeyObject } from 'node:crypto';
import { isRecord } from '../common/read-options.js';
import type { Jose } from './jose.js';
import { readJws } from './read-jws.js';
import { readJsonObject } from './read-json.js';
import type { ReplayMemory } from './replay-memory.js';
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
  /** What the proof must have been made for; `undefined` where the token is only being asked for. */
  readonly accessToken: string | undefined;
  /** The thumbprint of the key that it must have been made with; `undefined` for any key. */
  readonly boundTo: string | undefined;
  /** Whose share of the memory of proofs it takes room in: the agent, which may have any number of keys. */
  readonly holder: string;
}

const MAX_PROOF_LENGTH = 4_096;
const MAX_ID_LENGTH = 256;

/** The thumbprint of the key that the proof was made with (RFC 7638); `undefined` for a proof that proves nothing. */
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
  // Last, so that only proofs of the right key's holder take room.
  const id = hash('sha256', `${thumbprint} ${jti}`, 'base64url');
  return rules.seen.add(holder, id, nowMs) ? thumbprint : undefined;
}

function proofKey(jwk: Jwk, alg: string): KeyObject | undefined {
  // A private key that is sent around proves nothing (RFC 9449 section 4.3, step 7).
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

/** RFC 9449 section 4.3, step 9: query and fragment do not count. */
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
