/* Verifies signed access tokens (RFC 9068). */
import type { KeyObject } from 'node:crypto';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import {
  type CredentialRequest,
  type CredentialVerifier,
  type RejectedCredential,
  type Verification,
  type VerifiedCredential,
  challenge,
} from '../identity/credential.js';
import { createAgent, isAgentId } from '../identity/create-agent.js';
import { checkClaims, type ClaimRules } from './check-claims.js';
import { checkProof, type DpopRules } from './dpop.js';
import type { Jose } from './jose.js';
import type { TokenKeys } from './key-set.js';
import { type Jws, readJws } from './read-jws.js';
import { readJsonObject } from './read-form.js';
import type { AgentFields, TokenClaims } from './token-agent.js';
import { digestOf, TokenCache } from './token-cache.js';

/** A trusted issuer, and the rules for its tokens. */
export interface TokenTrust extends ClaimRules {
  readonly algorithms: readonly string[];
  /** Allowed values of the `typ` header, normalized. */
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
  readonly signer: Signer;
  readonly agent: AgentFields & { readonly claims: TokenClaims };
  readonly expiresMs: number;
  /** The thumbprint of the DPoP key that the token is bound to. */
  readonly boundTo: string | undefined;
}

interface Signer extends Pick<Jws, 'alg' | 'kid'> {
  readonly key: KeyObject;
}

/** How many keys are tried for a token without a key ID: unauthenticated clients cause this work. */
const MAX_TRIES = 4;

/** How many verified tokens are cached. */
const CACHE_SIZE = 10_000;

const rejected = (reason: RejectedCredential): Verification => ({ verified: false, reason });

export class SignedTokenVerifier implements CredentialVerifier {
  readonly #cache: TokenCache<Verified>;
  readonly #trusts: ReadonlyMap<string, TokenTrust>;
  readonly acceptsDpop: boolean;
  /** RFC 9449 section 7.1. */
  readonly challenges: readonly string[];

  constructor(
    trusts: readonly TokenTrust[],
    private readonly jose: Jose,
    private readonly clock: Clock,
    cacheSize = CACHE_SIZE,
  ) {
    this.#trusts = new Map(trusts.map(trust => [trust.issuer, trust]));
    const proofs = new Set(trusts.flatMap(({ dpop }) => dpop?.algorithms ?? []));
    this.acceptsDpop = proofs.size > 0;
    this.challenges = proofs.size > 0 ? [challenge('DPoP', [['algs', [...proofs].join(' ')]])] : [];
    this.#cache = new TokenCache(cacheSize);
  }

  /** Rejects only while there are no keys to verify with, or if the key store is unavailable. */
  async verify(token: string, request: CredentialRequest): Promise<Verification> {
    const digest = digestOf(token);
    // Synchronous results are not awaited: a turn of the microtask queue costs as much as the look-up of a cached token.
    const recalled = this.#recall(digest);
    const known = recalled instanceof Promise ? await recalled : recalled;
    const verified = known ?? (await this.#verifyUncached(token));
    if ('reason' in verified) return rejected(verified.reason);
    if (known === undefined) this.#cache.set(digest, verified, verified.expiresMs);
    const held = this.#isPossessed(verified, token, request);
    if (!(typeof held === 'boolean' ? held : await held)) return rejected('invalid');
    const { trust, agent } = verified;
    const revoked = trust.isRevoked(agent.id, agent.claims);
    if (typeof revoked === 'boolean' ? revoked : await revoked) return rejected('revoked');
    return new VerifiedToken(digest, verified, this);
  }

  /**
   * Verifies a token again without its text: whether it has expired, its signing key was withdrawn, or its agent or API key was revoked.
   * Rejects only while there are no keys, or if the key store is unavailable.
   */
  recheck(token: VerifiedToken, verified: Verified): Verification | Promise<Verification> {
    const { trust, agent } = verified;
    // Without the clock tolerance, which is for accepting a request and not for keeping a connection open.
    if (verified.expiresMs <= this.clock.epochMs()) return rejected('expired');
    const refreshing = trust.keys.refresh(this.clock.monotonicMs());
    const decide = (): Verification | Promise<Verification> => {
      if (!isStillSigned(verified)) return rejected('revoked');
      const revoked = trust.isRevoked(agent.id, agent.claims);
      const verificationOf = (isRevoked: boolean): Verification => (isRevoked ? rejected('revoked') : token);
      return typeof revoked === 'boolean' ? verificationOf(revoked) : revoked.then(verificationOf);
    };
    return refreshing === undefined ? decide() : refreshing.then(decide);
  }

  #recall(digest: string): Verified | undefined | Promise<Verified | undefined> {
    const known = this.#cache.get(digest, this.clock.epochMs());
    if (known === undefined) return undefined;
    const current = (): Verified | undefined => {
      if (known.keysVersion === known.trust.keys.version) return known;
      this.#cache.delete(digest);
      return undefined;
    };
    const refreshing = known.trust.keys.refresh(this.clock.monotonicMs());
    return refreshing === undefined ? current() : refreshing.then(current);
  }

  async #verifyUncached(token: string): Promise<Verified | { readonly reason: RejectedCredential }> {
    const jws = readJws(token);
    const claims = jws && readJsonObject(jws.payload);
    if (jws === undefined || claims === undefined) return { reason: 'malformed' };
    const { iss } = claims;
    const trust = typeof iss === 'string' ? this.#trusts.get(iss) : undefined;
    if (trust === undefined) return { reason: 'unknown' };
    if (!trust.algorithms.includes(jws.alg) || jws.typ === undefined || !trust.types.includes(jws.typ)) {
      return { reason: 'invalid' };
    }
    const signed = await this.#findSigner(token, jws, trust);
    if (signed === undefined) return { reason: 'invalid' };
    const decision = checkClaims(claims, trust, this.clock.epochMs());
    if (!decision.valid) return decision;
    const boundTo = readBinding(claims['cnf']);
    const agent = trust.toAgent(claims);
    if (boundTo === 'unknown' || agent === undefined || !isAgentId(agent.id)) return { reason: 'invalid' };
    const { expiresMs } = decision;
    return { trust, ...signed, agent: { ...agent, claims }, expiresMs, boundTo: boundTo?.jkt };
  }

  /** The key that has signed the token, and the version of its key set; `undefined` if there is none. */
  async #findSigner(
    token: string,
    { alg, kid }: Jws,
    { keys }: TokenTrust,
  ): Promise<Pick<Verified, 'keysVersion' | 'signer'> | undefined> {
    const refreshing = keys.refresh(this.clock.monotonicMs());
    if (refreshing !== undefined) await refreshing;
    let candidates = keys.find(alg, kid);
    if (candidates.length === 0) {
      const reloading = keys.reload(this.clock.monotonicMs());
      if (reloading === undefined) return undefined;
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
    return undefined;
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
    const nowMs = this.clock.epochMs();
    const shown = { method, url, proof, accessToken: token, boundTo, holder: agent.id };
    return checkProof(this.jose, shown, dpop, nowMs).then(thumbprint => thumbprint !== undefined);
  }
}

class VerifiedToken implements VerifiedCredential {
  readonly verified = true;
  readonly agent: Agent;
  readonly expiresMs: number;
  readonly #digest: string;
  readonly #verified: Verified;
  readonly #verifier: SignedTokenVerifier;

  constructor(digest: string, verified: Verified, verifier: SignedTokenVerifier) {
    this.agent = createAgent({ scopes: [], ...verified.agent, kind: 'token' });
    this.expiresMs = verified.expiresMs;
    this.#digest = digest;
    this.#verified = verified;
    this.#verifier = verifier;
  }

  get credentialId(): string {
    return this.#digest;
  }

  recheck(): Verification | Promise<Verification> {
    return this.#verifier.recheck(this, this.#verified);
  }
}

/** Whether the key that has signed the token is still in the issuer's key set. */
function isStillSigned({ trust: { keys }, keysVersion, signer: { alg, kid, key } }: Verified): boolean {
  return keysVersion === keys.version || keys.find(alg, kid).some(each => each.equals(key));
}

/** A token with an unsupported binding must not be accepted as an unbound one (RFC 7800 section 3.1). */
function readBinding(cnf: unknown): { readonly jkt: string } | undefined | 'unknown' {
  if (cnf === undefined) return undefined;
  if (typeof cnf !== 'object' || cnf === null || Object.keys(cnf).join() !== 'jkt') return 'unknown';
  const { jkt } = cnf as { jkt?: unknown };
  return typeof jkt === 'string' && jkt !== '' ? { jkt } : 'unknown';
}
