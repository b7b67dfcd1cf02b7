import { createHash, type KeyObject } from 'node:crypto';
import * as jose from 'jose';
import { createDpopRules } from '../../src/tokens/create-trust.js';
import { checkProof, ReplayMemory } from '../../src/tokens/dpop.js';
import { resolveDpop } from '../../src/tokens/tokens.options.js';
import { EC, ED, NOW_S, OTHER_EC, publicJwk, RSA } from './support.js';

const NOW_MS = NOW_S * 1_000;
const TOKEN = 'header.payload.signature';
const ATH = createHash('sha256').update(TOKEN).digest('base64url');
const CLAIMS = { jti: 'proof-1', htm: 'POST', htu: 'https://api.example.com/tools', iat: NOW_S, ath: ATH };
const REQUEST = {
  method: 'POST',
  url: 'https://api.example.com/tools',
  accessToken: TOKEN,
  boundTo: undefined,
  holder: 'agent-7',
};

const rules = () => {
  const remembered: string[] = [];
  const remember = async (key: string): Promise<boolean> => remembered.push(key) > 0;
  return { remembered, ...createDpopRules(resolveDpop('dpop', true), 5_000, 'api', { remember })! };
};

interface Parts {
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  key?: KeyObject;
}

function prove({ claims, header, key = EC.privateKey }: Parts = {}): Promise<string> {
  return new jose.CompactSign(Buffer.from(JSON.stringify({ ...CLAIMS, ...claims })))
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: publicJwk(EC.publicKey) as never, ...header })
    .sign(key);
}

const check = (proof: string, request: object = {}): Promise<string | undefined> =>
  checkProof(jose, { ...REQUEST, proof, ...request }, rules(), NOW_MS);

const good: [title: string, parts: Parts, request?: object][] = [
  ['made for the request', {}],
  [
    'made for its URL with a query and a fragment',
    { claims: { htu: 'https://api.example.com/tools?a=1#b' } },
  ],
  [
    'made for its URL in another case and with its port',
    { claims: { htu: 'HTTPS://API.example.com:443/tools' } },
  ],
  ['made a minute ago', { claims: { iat: NOW_S - 60 } }],
  ['made by a clock that is a little ahead', { claims: { iat: NOW_S + 5 } }],
  ['for a token request', { claims: { ath: undefined } }, { accessToken: undefined }],
];
it.each(good)('accepts a proof that is %s', async (...[, parts, request]) => {
  const thumbprint = await jose.calculateJwkThumbprint(await jose.exportJWK(EC.publicKey));
  expect(await check(await prove(parts), request)).toBe(thumbprint);
});

it('accepts the keys of its algorithms', async () => {
  const proof = await prove({ key: ED.privateKey, header: { alg: 'EdDSA', jwk: publicJwk(ED.publicKey) } });
  expect(await check(proof)).toBe(await jose.calculateJwkThumbprint(await jose.exportJWK(ED.publicKey)));
});

const bad: [title: string, parts: Parts, request?: object][] = [
  ['for another method', { claims: { htm: 'GET' } }],
  ['for the method in another case', { claims: { htm: 'post' } }],
  ['for another path', { claims: { htu: 'https://api.example.com/tools/' } }],
  ['for another host', { claims: { htu: 'https://other.example.com/tools' } }],
  ['for another scheme', { claims: { htu: 'http://api.example.com/tools' } }],
  ['for a URL with a user', { claims: { htu: 'https://u@api.example.com/tools' } }],
  ['for no URL', { claims: { htu: '/tools' } }],
  ['for another token', { claims: { ath: 'abc' } }],
  ['for no token', { claims: { ath: undefined } }],
  ['too old', { claims: { iat: NOW_S - 66 } }],
  ['from the future', { claims: { iat: NOW_S + 6 } }],
  ['without time', { claims: { iat: undefined } }],
  ['with time as text', { claims: { iat: String(NOW_S) } }],
  ['without an ID', { claims: { jti: undefined } }],
  ['with an empty ID', { claims: { jti: '' } }],
  ['with a long ID', { claims: { jti: 'x'.repeat(257) } }],
  ['of another type', { header: { typ: 'at+jwt' } }],
  ['without a key', { header: { jwk: undefined } }],
  ['with a private key', { header: { jwk: publicJwk(EC.privateKey) } }],
  ['with another key', { header: { jwk: publicJwk(OTHER_EC.publicKey) } }],
  ['with a secret as its key', { header: { jwk: { kty: 'oct', k: 'c2VjcmV0' } } }],
  ['with a key of another type', { header: { jwk: publicJwk(RSA.publicKey) } }],
  [
    'with an algorithm that is not listed',
    { key: RSA.privateKey, header: { alg: 'RS256', jwk: publicJwk(RSA.publicKey) } },
  ],
];
it.each(bad)('rejects a proof %s', async (...[, parts, request]) => {
  expect(await check(await prove(parts), request)).toBeUndefined();
});

it('rejects a replay, and accepts the same ID of another key', async () => {
  const seen = rules();
  const proof = await prove();
  const again = (text: string): Promise<string | undefined> =>
    checkProof(jose, { ...REQUEST, proof: text }, seen, NOW_MS);
  expect(await again(proof)).toBeDefined();
  expect(await again(proof)).toBeUndefined();
  expect(await again(await prove())).toBeUndefined();
  expect(
    await again(await prove({ key: OTHER_EC.privateKey, header: { jwk: publicJwk(OTHER_EC.publicKey) } })),
  ).toBeDefined();
  expect(seen.remembered.length).toBe(2);
});

it('stores no invalid proof', async () => {
  const seen = rules();
  await checkProof(jose, { ...REQUEST, proof: await prove({ key: OTHER_EC.privateKey }) }, seen, NOW_MS);
  expect(seen.remembered.length).toBe(0);
});

describe('ReplayMemory', () => {
  it('remembers each ID for its window', () => {
    for (let atMs = 0; atMs < 200; atMs += 7) {
      const memory = new ReplayMemory(100, 1_000);
      memory.add('one', 'first', 0);
      memory.add('one', 'x', atMs);
      for (let laterMs = atMs; laterMs < atMs + 100; laterMs += 3)
        expect(memory.add('one', 'x', laterMs)).toBe(false);
    }
  });

  it('forgets IDs that are older than twice the window', () => {
    const memory = new ReplayMemory(100, 1_000);
    memory.add('one', 'x', 0);
    expect(memory.add('one', 'x', 200)).toBe(true);
    expect(memory.size).toBe(1);
  });

  it('rejects IDs beyond a holder’s share, and accepts them later', () => {
    const memory = new ReplayMemory(100, 4);
    const add = (id: string, atMs: number): boolean => memory.add('one', id, atMs);
    expect([add('a', 0), add('b', 0), add('c', 0)]).toEqual([true, true, false]);
    expect(add('c', 100)).toBe(true);
    expect(add('a', 100)).toBe(false);
  });

  it('allows each holder half of the remaining room', () => {
    const memory = new ReplayMemory(100, 64);
    const taken = [0, 1, 2, 3, 4].map(
      holder =>
        Array.from({ length: 100 }, (_each, count) =>
          memory.add(`holder ${holder}`, `${holder} ${count}`, 0),
        ).filter(Boolean).length,
    );
    expect(taken).toEqual([32, 16, 8, 4, 2]);
  });
});
