import * as jose from 'jose';
import type { Verification } from '../../src/identity/credential.js';
import { createTrust } from '../../src/tokens/create-trust.js';
import { SignedTokenVerifier } from '../../src/tokens/token-verifier.js';
import { resolveTokens, type TokensOptions } from '../../src/tokens/tokens.options.js';
import { ManualClock } from '../support/clock.js';
import {
  AUDIENCE,
  CLAIMS,
  EC,
  ED,
  forge,
  ISSUER,
  NOW_S,
  OTHER_EC,
  publicJwk,
  RSA,
  sign,
  type TokenParts,
} from './support.js';

const REQUEST = { method: 'GET', url: `${AUDIENCE}/tools`, headers: {} };
const none = (): boolean => false;

function verifier(
  options: Partial<TokensOptions> = {},
  clock = new ManualClock(),
  isRevoked: (id: string) => boolean | Promise<boolean> = none,
): SignedTokenVerifier {
  const tokens = resolveTokens('auth.tokens', {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ['ES256'],
    ...(options.secret === undefined && options.jwksUri === undefined ? { keys: EC.publicKey } : {}),
    ...options,
  })!;
  const trust = createTrust(tokens, clock, () => undefined, isRevoked, { remember: async () => true });
  return new SignedTokenVerifier([trust], jose, clock);
}

const verify = (token: string, options?: Partial<TokensOptions>): Promise<Verification> =>
  verifier(options).verify(token, REQUEST);

describe('a valid token', () => {
  it('authenticates its agent', async () => {
    const claims = { tier: 'gold', tenant: 'acme', tools: ['read_*'], extra: { deep: [1] } };
    expect(await verify(await sign({ claims }))).toEqual({
      verified: true,
      agent: {
        id: 'agent-7',
        kind: 'token',
        scopes: ['data:read', 'data:write'],
        tier: 'gold',
        tenant: 'acme',
        tools: ['read_*'],
        claims: { ...CLAIMS, ...claims },
      },
      expiresMs: (NOW_S + 600) * 1_000,
      credentialId: expect.any(String) as string,
      recheck: expect.any(Function) as () => Verification,
    });
  });

  it('creates a new agent for each request, which shares nothing', async () => {
    const one = verifier();
    const token = await sign({ claims: { tools: ['a'], extra: { deep: [1] } } });
    const [first, second] = [await one.verify(token, REQUEST), await one.verify(token, REQUEST)];
    if (!first.verified || !second.verified) throw new Error('rejected');
    expect(second).toEqual({ ...first, recheck: expect.any(Function) as () => Verification });
    expect(second.agent).not.toBe(first.agent);
    expect(second.agent.scopes).not.toBe(first.agent.scopes);
    expect(second.agent.claims['extra']).not.toBe(first.agent.claims['extra']);
  });

  type Row = [title: string, parts: TokenParts, options?: Partial<TokensOptions>];
  const rows: Row[] = [
    ['names the audience among others', { claims: { aud: ['x', AUDIENCE] } }],
    ['has a typ in its long form and another case', { header: { typ: 'application/AT+jwt' } }],
    ['has an ID of a key that has none', { header: { kid: 'unheard-of' } }],
    [
      'has key material in its header, which is passed over',
      { header: { jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' } },
    ],
    ['has scopes as a list', { claims: { scope: ['data:read', 'data:write'] } }],
    ['is at the edge of its life', { claims: { exp: NOW_S + 1 } }],
    ['is too old by less than the tolerance', { claims: { exp: NOW_S - 4 } }],
    ['is from the future by less than the tolerance', { claims: { iat: NOW_S + 5, nbf: NOW_S + 5 } }],
    ['is of another type where options allow it', { header: { typ: 'JWT' } }, { type: ['JWT'] }],
    [
      'is signed with Ed25519',
      { key: ED.privateKey, header: { alg: 'EdDSA' } },
      { keys: ED.publicKey, algorithms: ['EdDSA'] },
    ],
    [
      'is signed with RSA',
      { key: RSA.privateKey, header: { alg: 'PS256' } },
      { keys: RSA.publicKey, algorithms: ['PS256', 'RS256'] },
    ],
    ['finds its key among several without an ID', {}, { keys: [OTHER_EC.publicKey, EC.publicKey] }],
    [
      'finds its key by its ID',
      { header: { kid: 'b' } },
      {
        keys: { keys: [publicJwk(OTHER_EC.publicKey, { kid: 'a' }), publicJwk(EC.publicKey, { kid: 'b' })] },
      },
    ],
  ];
  it.each(rows)('%s', async (...[, parts, options]) => {
    expect(await verify(await sign(parts), options)).toMatchObject({
      verified: true,
      agent: { id: 'agent-7' },
    });
  });

  it('may be signed with a shared secret', async () => {
    const secret = 'a secret of more than thirty-two bytes';
    const token = await new jose.CompactSign(Buffer.from(JSON.stringify(CLAIMS)))
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(Buffer.from(secret));
    expect(await verify(token, { secret, algorithms: ['HS256'] })).toMatchObject({ verified: true });
    // The public key as the secret: the confusion that a list of both kinds would allow.
    const pem = EC.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const confused = await new jose.CompactSign(Buffer.from(JSON.stringify(CLAIMS)))
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .sign(Buffer.from(pem));
    expect(await verify(confused, { keys: pem })).toMatchObject({ verified: false, reason: 'invalid' });
  });

  it('may have other claim names', async () => {
    const claims = { client_id: 'c-1', scp: 'a', plan: 'free', org: 'o', allowed: 'x y' };
    const names = { id: 'client_id', scopes: 'scp', tier: 'plan', tenant: 'org', tools: 'allowed' };
    expect(await verify(await sign({ claims }), { claims: names })).toMatchObject({
      agent: { id: 'c-1', scopes: ['a'], tier: 'free', tenant: 'o', tools: ['x', 'y'] },
    });
  });

  it("is read by a function of the app's own", async () => {
    const agent = ({ sub }: Readonly<Record<string, unknown>>) => ({
      id: `idp:${String(sub)}`,
      scopes: ['a'],
    });
    expect(await verify(await sign(), { agent })).toMatchObject({
      agent: { id: 'idp:agent-7', scopes: ['a'] },
    });
    expect(await verify(await sign(), { agent: () => undefined })).toMatchObject({
      verified: false,
      reason: 'invalid',
    });
  });
});

describe('an invalid token', () => {
  type Row = [title: string, parts: TokenParts, reason: string, options?: Partial<TokensOptions>];
  const rows: Row[] = [
    ['expired', { claims: { exp: NOW_S - 6 } }, 'expired'],
    [
      'expired by a second more than a tolerance of a minute',
      { claims: { exp: NOW_S - 61 } },
      'expired',
      { clockTolerance: '60s' },
    ],
    [
      'older than the maximum age, whatever its exp',
      { claims: { iat: NOW_S - 906, exp: NOW_S + 9_000 } },
      'expired',
    ],
    ['not valid yet', { claims: { nbf: NOW_S + 120 } }, 'not-yet-valid'],
    ['issued in the future', { claims: { iat: NOW_S + 120 } }, 'not-yet-valid'],
    ['without exp', { claims: { exp: undefined } }, 'invalid'],
    ['without iat', { claims: { iat: undefined } }, 'invalid'],
    ['with exp as text', { claims: { exp: '9999999999' } }, 'invalid'],
    ['with nbf as text', { claims: { nbf: '0' } }, 'invalid'],
    [
      'with exp beyond all numbers',
      { payload: JSON.stringify(CLAIMS).replace(`${CLAIMS.exp}`, '1e999') },
      'invalid',
    ],
    ['without issuer', { claims: { iss: undefined } }, 'unknown'],
    ['of another issuer', { claims: { iss: `${ISSUER}/` } }, 'unknown'],
    ['with issuers as a list', { claims: { iss: [ISSUER] } }, 'unknown'],
    ['without audience', { claims: { aud: undefined } }, 'invalid'],
    ['for another audience', { claims: { aud: 'https://other.example' } }, 'invalid'],
    ['for an audience that begins alike', { claims: { aud: `${AUDIENCE}.evil.example` } }, 'invalid'],
    ['without subject', { claims: { sub: undefined } }, 'invalid'],
    ['with an empty subject', { claims: { sub: '' } }, 'invalid'],
    ['with a number as subject', { claims: { sub: 7 } }, 'invalid'],
    ['with a subject that would break a log line', { claims: { sub: 'a\nb' } }, 'invalid'],
    ['with scopes that are no text', { claims: { scope: 7 } }, 'invalid'],
    ['with tools that are no list', { claims: { tools: { a: 1 } } }, 'invalid'],
    ['of another type', { header: { typ: 'JWT' } }, 'invalid'],
    ['of no type', { header: { typ: undefined } }, 'invalid'],
    ['of another key', { key: OTHER_EC.privateKey }, 'invalid'],
    [
      'of another key that it brings along',
      { key: OTHER_EC.privateKey, header: { jwk: publicJwk(OTHER_EC.publicKey) } },
      'invalid',
    ],
    [
      'with an algorithm that is not listed',
      { key: RSA.privateKey, header: { alg: 'RS384' } },
      'invalid',
      { keys: RSA.publicKey, algorithms: ['RS256'] },
    ],
    [
      'with an algorithm that its key is not for',
      { key: RSA.privateKey, header: { alg: 'RS256' } },
      'invalid',
      { keys: publicJwk(RSA.publicKey, { alg: 'PS256' }), algorithms: ['RS256', 'PS256'] },
    ],
    [
      'with an unknown key ID',
      { header: { kid: 'c' } },
      'invalid',
      { keys: publicJwk(EC.publicKey, { kid: 'a' }) },
    ],
    [
      'with a key ID that reaches a prototype',
      { header: { kid: '__proto__' } },
      'invalid',
      { keys: publicJwk(EC.publicKey, { kid: 'a' }) },
    ],
    [
      'with a claim that comes twice',
      { payload: `{"sub":"admin",${JSON.stringify(CLAIMS).slice(1)}` },
      'malformed',
    ],
    [
      'with a claim that comes twice in another spelling',
      { payload: `{"s\\u0075b":"admin",${JSON.stringify(CLAIMS).slice(1)}` },
      'malformed',
    ],
    [
      'with a claim that reaches a prototype',
      { payload: `{"__proto__":{},${JSON.stringify(CLAIMS).slice(1)}` },
      'malformed',
    ],
    ['with claims that are no object', { payload: '["sub"]' }, 'malformed'],
    ['that is bound to a certificate', { claims: { cnf: { 'x5t#S256': 'abc' } } }, 'invalid'],
    ['that is bound to a key, without DPoP', { claims: { cnf: { jkt: 'abc' } } }, 'invalid'],
  ];
  it.each(rows)('%s', async (...[, parts, reason, options]) => {
    expect(await verify(await sign(parts), options)).toMatchObject({ verified: false, reason });
  });

  const texts: [title: string, make: (token: string) => string, reason: string][] = [
    ['two tokens', token => `${token} ${token}`, 'malformed'],
    ['four parts', token => `${token}.e30`, 'malformed'],
    ['two parts', token => token.slice(0, token.lastIndexOf('.')), 'malformed'],
    ['no signature', token => token.slice(0, token.lastIndexOf('.') + 1), 'malformed'],
    ['padding', token => `${token}=`, 'malformed'],
    ['a line break', token => `${token}\n`, 'malformed'],
    ['too many bytes', token => `${token}${'A'.repeat(8_192)}`, 'malformed'],
    ['the algorithm none', () => forge({ alg: 'none', typ: 'at+jwt' }), 'invalid'],
    ['the algorithm None', () => forge({ alg: 'None', typ: 'at+jwt' }), 'invalid'],
    ['an algorithm that is a list', () => forge({ alg: ['ES256'], typ: 'at+jwt' }), 'malformed'],
    ['a header that is no JSON', () => forge('{"alg":"ES256",}'), 'malformed'],
    [
      'a header that names alg twice',
      () => forge('{"alg":"ES256","alg":"none","typ":"at+jwt"}'),
      'malformed',
    ],
    [
      'an extension that must be understood',
      () => forge({ alg: 'ES256', typ: 'at+jwt', crit: ['exp'], exp: 1 }),
      'malformed',
    ],
    ['a payload that is not encoded', () => forge({ alg: 'ES256', typ: 'at+jwt', b64: false }), 'malformed'],
    ['an encrypted token', token => `${token}.e30.e30`, 'malformed'],
  ];
  it.each(texts)('%s', async (_title, make, reason) => {
    expect(await verify(make(await sign()))).toMatchObject({ verified: false, reason });
  });

  it('is rejected if one character of its signature is changed', async () => {
    const token = await sign();
    const changed = token.slice(0, -3) + (token.at(-3) === 'A' ? 'B' : 'A') + token.slice(-2);
    expect(await verify(changed)).toMatchObject({ verified: false, reason: 'invalid' });
  });
});

describe('a cached token', () => {
  const counting = (): { jose: typeof jose; tries: () => number } => {
    let tries = 0;
    const compactVerify = ((...call: Parameters<typeof jose.compactVerify>) => {
      tries++;
      return jose.compactVerify(...call);
    }) as typeof jose.compactVerify;
    return { jose: { ...jose, compactVerify }, tries: () => tries };
  };

  function cached(cacheSize: number, clock: ManualClock, isRevoked: (id: string) => boolean = none) {
    const counter = counting();
    const tokens = resolveTokens('auth.tokens', {
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ['ES256'],
      keys: EC.publicKey,
    })!;
    const trust = createTrust(tokens, clock, () => undefined, isRevoked, { remember: async () => true });
    return { ...counter, verifier: new SignedTokenVerifier([trust], counter.jose, clock, cacheSize) };
  }

  it('is not verified again', async () => {
    const { verifier: one, tries } = cached(10, new ManualClock());
    const token = await sign();
    for (let round = 0; round < 3; round++) await one.verify(token, REQUEST);
    expect(tries()).toBe(1);
  });

  it('is rejected after its expiry', async () => {
    const clock = new ManualClock();
    const { verifier: one } = cached(10, clock);
    const token = await sign({ claims: { exp: NOW_S + 60 } });
    expect(await one.verify(token, REQUEST)).toMatchObject({ verified: true });
    clock.advance(65_000);
    expect(await one.verify(token, REQUEST)).toMatchObject({ verified: false, reason: 'expired' });
  });

  it('is evicted when the cache is full', async () => {
    const { verifier: one, tries } = cached(2, new ManualClock());
    const tokens = await Promise.all(['a', 'b', 'c'].map(jti => sign({ claims: { jti } })));
    for (const token of tokens) await one.verify(token, REQUEST);
    await one.verify(tokens[1]!, REQUEST);
    expect(tries()).toBe(3);
    await one.verify(tokens[0]!, REQUEST);
    expect(tries()).toBe(4);
  });

  it('is never a rejected one', async () => {
    const { verifier: one, tries } = cached(10, new ManualClock());
    const token = await sign({ key: OTHER_EC.privateKey });
    await one.verify(token, REQUEST);
    await one.verify(token, REQUEST);
    expect(tries()).toBe(2);
  });

  it('is rejected when its agent is disabled', async () => {
    const revoked = new Set<string>();
    const { verifier: one } = cached(10, new ManualClock(), id => revoked.has(id));
    const token = await sign();
    expect(await one.verify(token, REQUEST)).toMatchObject({ verified: true });
    revoked.add('agent-7');
    expect(await one.verify(token, REQUEST)).toMatchObject({ verified: false, reason: 'revoked' });
  });

  it('waits for an asynchronous store', async () => {
    const one = verifier({}, new ManualClock(), () => Promise.resolve(true));
    expect(await one.verify(await sign(), REQUEST)).toMatchObject({ verified: false, reason: 'revoked' });
  });
});
