/* What does a signed token cost a request: verified for the first time, with jose alone beside it, and when it was verified a moment ago? */
import { generateKeyPairSync } from 'node:crypto';
import * as jose from 'jose';
import { fixed, median, percent, printTable, ratio, spread } from './support/figures.mjs';
import { alternate } from './support/measure.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';

const options = readOptions({ rounds: 9, seconds: 2 });

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';
const REQUEST = { method: 'GET', url: `${AUDIENCE}/tools`, headers: {} };
/** More than one batch holds, so that no round meets a token twice where it must not. */
const TOKENS = options.smoke ? 50 : 2_000;

const KEYS = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

prepare();
const { createTrust } = await import('../dist/tokens/create-trust.js');
const { SignedTokenVerifier } = await import('../dist/tokens/token-verifier.js');
const { resolveTokens } = await import('../dist/tokens/tokens.options.js');
const { systemClock } = await import('../dist/common/clock.js');

const RUNS = Object.keys(KEYS).flatMap(alg => ['jose', 'first', 'cached'].map(variant => ({ alg, variant })));
const selected = select(RUNS, options.only, ['alg', 'variant']);
const tokens = Object.fromEntries(
  await Promise.all(Object.keys(KEYS).map(async alg => [alg, await makeTokens(alg)])),
);
const results = await alternate(selected, options.smoke ? 1 : options.rounds, measure);

console.log('\n## Tokens\n');
console.log(`Node ${process.versions.node}; ${options.rounds} rounds of ${TOKENS} tokens, medians.`);
for (const alg of Object.keys(KEYS)) {
  const own = selected.filter(run => run.alg === alg);
  if (own.length === 0) continue;
  const alone = own.find(({ variant }) => variant === 'jose');
  const base = alone && median(results.get(alone));
  printTable(
    alg,
    ['variant', 'CPU µs a token', '× jose', 'spread'],
    own.map(run => {
      const us = median(results.get(run));
      return [run.variant, fixed(us, 2), ratio(us, base), percent(spread(results.get(run)))];
    }),
  );
}

function makeTokens(alg) {
  return Promise.all(
    Array.from({ length: TOKENS }, (_, index) =>
      new jose.SignJWT({ scope: 'data:read data:write', tier: 'gold', tenant: 'acme', jti: `token-${index}` })
        .setProtectedHeader({ alg, typ: 'at+jwt' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(`agent-${index}`)
        .setIssuedAt()
        .setExpirationTime('14 minutes')
        .sign(KEYS[alg].privateKey),
    ),
  );
}

/** Microseconds of CPU a token, user and system of all threads: signatures are verified beside the main one. */
async function measure({ alg, variant }) {
  const verify = variant === 'jose' ? joseAlone(alg) : ours(alg);
  // Code and keys are warm; with `cached`, so is every token.
  const warm = variant === 'cached' ? tokens[alg] : (await makeTokens(alg)).slice(0, 200);
  for (const token of warm) await verify(token);
  const rounds = variant === 'cached' && !options.smoke ? 50 : 1;
  const begun = process.cpuUsage();
  for (let round = 0; round < rounds; round++) for (const token of tokens[alg]) await verify(token);
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / (TOKENS * rounds);
}

/** With the checks that ours makes as well. */
function joseAlone(alg) {
  const checks = {
    algorithms: [alg],
    issuer: ISSUER,
    audience: AUDIENCE,
    typ: 'at+jwt',
    maxTokenAge: '15 minutes',
    requiredClaims: ['exp', 'sub'],
  };
  return token => jose.jwtVerify(token, KEYS[alg].publicKey, checks);
}

function ours(alg) {
  const resolved = resolveTokens('auth.tokens', {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: [alg],
    keys: KEYS[alg].publicKey,
  });
  const trust = createTrust(
    resolved,
    systemClock,
    () => undefined,
    () => false,
  );
  const verifier = new SignedTokenVerifier([trust], jose, systemClock);
  return async token => {
    const { verified } = await verifier.verify(token, REQUEST);
    if (!verified) throw new Error('rejected');
  };
}
