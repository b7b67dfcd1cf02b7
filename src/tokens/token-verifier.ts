/* Verifies signed access tokens (RFC 9068). */
import { hash, type KeyObject } from 'node:crypto';
import { BoundedMap } from '../common/bounded-map.js';
import type { Clock } from '../common/clock.js';
import { isRecord } from '../common/read-options.js';
import type {
  CredentialRequest,
  CredentialVerifier,
  Verification,
  VerifiedCredential,
} from '../identity/credential.js';
import { createAgent, isAgentId } from '../identity/create-agent.js';
import { checkProof, type DpopRules } from './dpop.js';
import type { TokenKeys } from './key-set.js';
import { type Jose, type Jws, readJsonObject, readJws } from './read-jws.js';
import {
  type AgentFields,
  checkClaims,
  type ClaimRules,
  rejectToken,
  type TokenClaims,
} from './token-claims.js';
import { NO_TYPE } from './token-presets.js';
import { challenge } from '../identity/challenge.js';
import type { RejectedVerification } from '../identity/rejected-credential.js';

/** A trusted issuer, and the rules for its tokens. */
export interface TokenTrust extends ClaimRules {
  readonly algorithms: readonly string[];
  /** Allowed values of the `typ` header, normalized; `NO_TYPE` for none. */
  readonly types: readonly string[];
  readonly keys: TokenKeys;
  readonly dpop: DpopRules | undefined;
  toAgent(claims: TokenClaims): AgentFields | undefined;
  /** Called for every request, also for cached tokens: the signature of a revoked agent's token stays valid. */
  isRevoked(agentId: string, claims: TokenClaims): boolean | Promise<boolean>;
}

interface Verified {
  readonly trust: TokenTrust;
  readonly keysVersion: number;
  /** The key that has signed the token, and the header by which it was found. */
  readonly signer: Pick<Jws, 'alg' | 'kid'> & { readonly key: KeyObject };
  readonly agent: AgentFields & { readonly claims: TokenClaims };
  readonly expiresMs: number;
  /** The thumbprint of the DPoP key that the token is bound to. */
  readonly boundTo: string | undefined;
}

/** How many keys are tried for a token without a key ID: unauthenticated clients cause this work. */
const MAX_TRIES = 4;

const MAX_CACHED_TOKENS = 10_000;

export class SignedTokenVerifier implements CredentialVerifier {
  /** By the digests of tokens, so that a memory dump contains no valid token. */
  readonly #cache: BoundedMap<string, Verified>;
  readonly #trusts: ReadonlyMap<string, TokenTrust>;
  /** RFC 9449 section 7.1. */
  readonly challenges: readonly string[];

  constructor(
    trusts: readonly TokenTrust[],
    private readonly jose: Jose,
    private readonly clock: Clock,
    maxCached = MAX_CACHED_TOKENS,
  ) {
    this.#cache = new BoundedMap(maxCached);
    this.#trusts = new Map(trusts.map(trust => [trust.issuer, trust]));
    const algorithms = new Set(trusts.flatMap(({ dpop }) => dpop?.algorithms ?? []));
    this.challenges = algorithms.size > 0 ? [challenge('DPoP', [['algs', [...algorithms].join(' ')]])] : [];
  }

  /** Whether a credential is a token of a trusted issuer, valid or not. */
  recognizes(token: string): boolean {
    return this.#trustOf(readClaims(readJws(token))) !== undefined;
  }

  /** Rejects only while there are no keys to verify with, or if the key store is unavailable. */
  async verify(token: string, request: CredentialRequest): Promise<Verification> {
    const digest = hash('sha256', token, 'base64url');
    // Synchronous results are not awaited: a turn of the microtask queue costs as much as the look-up of a cached token.
    const recalled = this.#recall(digest);
    const known = recalled instanceof Promise ? await recalled : recalled;
    const verified = known ?? (await this.#verifyUncached(token));
    if ('verified' in verified) return verified;
    const { trust, agent, expiresMs } = verified;
    if (known === undefined) this.#cache.set(digest, verified);
    const held = this.#isPossessed(verified, token, request);
    if (!(typeof held === 'boolean' ? held : await held)) return rejectToken('dpop');
    const revoked = trust.isRevoked(agent.id, agent.claims);
    if (typeof revoked === 'boolean' ? revoked : await revoked) return rejectToken('revoked', 'revoked');
    const credential: VerifiedCredential = {
      verified: true,
      agent: createAgent({ scopes: [], ...agent, kind: 'token' }),
      expiresMs,
      credentialId: digest,
      recheck: () => this.#recheck(verified, credential),
    };
    return credential;
  }

  /**
   * Verifies a token again without its text: whether it has expired, its signing key was withdrawn, or its agent or API key was revoked.
   * Rejects only while there are no keys, or if the key store is unavailable.
   */
  #recheck(verified: Verified, credential: VerifiedCredential): Verification | Promise<Verification> {
    const { trust, agent } = verified;
    // Without the clock tolerance, which is for accepting a request and not for keeping a connection open.
    if (verified.expiresMs <= this.clock.epochMs()) return rejectToken('exp', 'expired');
    const refreshing = trust.keys.refresh(this.clock.monotonicMs());
    const verificationOf = (isRevoked: boolean): Verification =>
      isRevoked ? rejectToken('revoked', 'revoked') : credential;
    const decide = (): Verification | Promise<Verification> => {
      if (!isStillSigned(verified)) return rejectToken('kid', 'revoked');
      const revoked = trust.isRevoked(agent.id, agent.claims);
      return typeof revoked === 'boolean' ? verificationOf(revoked) : revoked.then(verificationOf);
    };
    return refreshing === undefined ? decide() : refreshing.then(decide);
  }

  #recall(digest: string): Verified | undefined | Promise<Verified | undefined> {
    const known = this.#cache.get(digest);
    if (known === undefined) return undefined;
    const { expiresMs, keysVersion, trust } = known;
    const current = (): Verified | undefined => {
      if (expiresMs > this.clock.epochMs() && keysVersion === trust.keys.version) return known;
      this.#cache.delete(digest);
      return undefined;
    };
    const refreshing = trust.keys.refresh(this.clock.monotonicMs());
    return refreshing === undefined ? current() : refreshing.then(current);
  }

  async #verifyUncached(token: string): Promise<Verified | RejectedVerification> {
    const jws = readJws(token);
    const claims = readClaims(jws);
    if (jws === undefined || claims === undefined) return rejectToken('format', 'malformed');
    const trust = this.#trustOf(claims);
    if (trust === undefined) return rejectToken('iss', 'unknown');
    if (!trust.algorithms.includes(jws.alg)) return rejectToken('alg');
    if (!trust.types.includes(jws.typ ?? NO_TYPE)) return rejectToken('typ');
    const signed = await this.#findSigner(token, jws, trust);
    if ('verified' in signed) return signed;
    const checked = checkClaims(claims, trust, this.clock.epochMs());
    if ('verified' in checked) return checked;
    const binding = readBinding(claims['cnf']);
    if (binding === undefined) return rejectToken('cnf');
    const agent = trust.toAgent(claims);
    if (agent === undefined || !isAgentId(agent.id)) return rejectToken('agent');
    return { trust, ...signed, ...checked, ...binding, agent: { ...agent, claims } };
  }

  #trustOf(claims: TokenClaims | undefined): TokenTrust | undefined {
    const iss = claims?.['iss'];
    return typeof iss === 'string' ? this.#trusts.get(iss) : undefined;
  }

  /** The key that has signed the token, and the version of its key set. */
  async #findSigner(
    token: string,
    { alg, kid }: Jws,
    { keys }: TokenTrust,
  ): Promise<Pick<Verified, 'keysVersion' | 'signer'> | RejectedVerification> {
    const refreshing = keys.refresh(this.clock.monotonicMs());
    if (refreshing !== undefined) await refreshing;
    let candidates = keys.find(alg, kid);
    if (candidates.length === 0) {
      const reloading = keys.reload(this.clock.monotonicMs());
      if (reloading === undefined) return rejectToken('kid');
      await reloading;
      candidates = keys.find(alg, kid);
    }
    // Read before the next await: the keys may change during it.
    const keysVersion = keys.version;
    for (const key of candidates.slice(0, MAX_TRIES)) {
      // Sequential: the first candidate is usually the right one.
      // oxlint-disable-next-line no-await-in-loop
      if (await this.#isSignedWith(token, key, alg)) return { keysVersion, signer: { alg, kid, key } };
    }
    return rejectToken(candidates.length === 0 ? 'kid' : 'signature');
  }

  async #isSignedWith(token: string, key: KeyObject, alg: string): Promise<boolean> {
    try {
      await this.jose.compactVerify(token, key, { algorithms: [alg] });
      return true;
    } catch {
      return false;
    }
  }

  /** A bound token requires a proof (RFC 9449 section 7.2), and a proof requires a bound token. */
  #isPossessed(
    { trust, boundTo, agent }: Verified,
    token: string,
    request: CredentialRequest,
  ): boolean | Promise<boolean> {
    const { dpop } = trust;
    const isProofScheme = /^dpop /i.test(String(request.headers['authorization'] ?? ''));
    if (boundTo === undefined) return !isProofScheme && dpop?.required !== true;
    const proof = request.headers['dpop'];
    if (dpop === undefined || !isProofScheme || typeof proof !== 'string') return false;
    const { method, url } = request;
    const shown = { method, url, proof, accessToken: token, boundTo, holder: agent.id };
    return checkProof(this.jose, shown, dpop, this.clock.epochMs()).then(signer => signer !== undefined);
  }
}

const readClaims = (jws: Jws | undefined): TokenClaims | undefined => jws && readJsonObject(jws.payload);

/** Whether the key that has signed the token is still in the issuer's key set. */
function isStillSigned({ trust: { keys }, keysVersion, signer: { alg, kid, key } }: Verified): boolean {
  return keysVersion === keys.version || keys.find(alg, kid).some(each => each.equals(key));
}

/** `undefined` for an unsupported binding: such a token must not be accepted as an unbound one (RFC 7800 section 3.1). */
function readBinding(cnf: unknown): Pick<Verified, 'boundTo'> | undefined {
  if (cnf === undefined) return { boundTo: undefined };
  if (!isRecord(cnf) || Object.keys(cnf).join() !== 'jkt') return undefined;
  const boundTo = cnf['jkt'];
  return typeof boundTo === 'string' && boundTo !== '' ? { boundTo } : undefined;
}
