/* Issues access tokens (RFC 9068) to agents that have authenticated with their API key. */
import { randomUUID } from 'node:crypto';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { Jose } from './jose.js';
import type { KeySet } from './key-set.js';
import { chooseSigningKey, type SigningKey } from './signing-keys.js';

export interface TokenGrant {
  readonly agent: Agent;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly audiences: readonly string[];
  /** When the API key expires: no token outlives it. */
  readonly notAfterMs: number | undefined;
  /** The thumbprint of the DPoP key that the token is bound to. */
  readonly boundTo: string | undefined;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
}

/** The claim with the ID of the API key that a token was issued for: the token is revoked with the key. */
export const KEY_ID_CLAIM = 'key_id';

export class TokenIssuer {
  constructor(
    private readonly issuer: string,
    private readonly lifetimeMs: number,
    readonly keys: KeySet<SigningKey>,
    private readonly jose: Jose,
    private readonly clock: Clock,
  ) {}

  /** @throws Error while no signing key is valid */
  async issue(grant: TokenGrant): Promise<IssuedToken> {
    await this.keys.refresh(this.clock.monotonicMs());
    const nowMs = this.clock.epochMs();
    const key = chooseSigningKey(this.keys.keys, nowMs);
    if (key === undefined) throw new Error('No signing key is valid at this time');
    // No token outlives its signing key.
    const endMs = Math.min(nowMs + this.lifetimeMs, grant.notAfterMs ?? Infinity, key.expiresMs);
    const iat = Math.floor(nowMs / 1_000);
    const exp = Math.floor(endMs / 1_000);
    const { agent, scopes, audiences, boundTo } = grant;
    // RFC 9068 section 2.2.
    const claims = {
      iss: this.issuer,
      sub: agent.id,
      client_id: grant.clientId,
      aud: audiences.length === 1 ? audiences[0] : audiences,
      iat,
      exp,
      jti: randomUUID(),
      scope: scopes.join(' '),
      tier: agent.tier,
      tenant: agent.tenant,
      tools: agent.tools,
      [KEY_ID_CLAIM]: agent.claims[KEY_ID_CLAIM],
      cnf: boundTo === undefined ? undefined : { jkt: boundTo },
    };
    const token = await new this.jose.CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
      .sign(key.privateKey);
    return { token, expiresInSeconds: Math.max(0, exp - iat) };
  }
}
