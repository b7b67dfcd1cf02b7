/* Issues access tokens (RFC 9068) to agents that have authenticated with their API key. */
import { randomUUID } from 'node:crypto';
import type { Agent } from '../common/agent.js';
import type { Clock } from '../common/clock.js';
import type { KeySet } from './key-set.js';
import type { Jose } from './read-jws.js';
import type { SigningKey } from './signing-keys.js';

interface TokenGrant {
  readonly agent: Agent;
  readonly scopes: readonly string[];
  readonly audiences: readonly string[];
  /** When the API key expires: no token outlives it. */
  readonly notAfterMs: number | undefined;
  /** The thumbprint of the DPoP key that the token is bound to. */
  readonly boundTo: string | undefined;
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
  async issue({ agent, scopes, audiences, notAfterMs, boundTo }: TokenGrant): Promise<{
    readonly token: string;
    readonly expiresInSeconds: number;
  }> {
    await this.keys.refresh(this.clock.monotonicMs());
    const nowMs = this.clock.epochMs();
    const key = chooseSigningKey(this.keys.keys, nowMs);
    if (key === undefined) throw new Error('No signing key is valid at this time');
    // No token outlives its signing key.
    const endMs = Math.min(nowMs + this.lifetimeMs, notAfterMs ?? Infinity, key.expiresMs);
    const iat = Math.floor(nowMs / 1_000);
    const exp = Math.floor(endMs / 1_000);
    // RFC 9068 section 2.2.
    const claims = {
      iss: this.issuer,
      sub: agent.id,
      client_id: agent.id,
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

/** The newest key that is valid now; `undefined` if there is none. */
function chooseSigningKey(keys: readonly SigningKey[], nowMs: number): SigningKey | undefined {
  let chosen: SigningKey | undefined;
  for (const key of keys) {
    if (key.notBeforeMs > nowMs || key.expiresMs <= nowMs) continue;
    // Of keys of the same age, the last: new keys are appended.
    if (chosen === undefined || key.issuedMs >= chosen.issuedMs) chosen = key;
  }
  return chosen;
}
