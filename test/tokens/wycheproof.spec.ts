/* The vectors of test/fixtures/cases/jwt.json through options, parsing and the choice of a key. */
import { compactVerify } from 'jose';
import { AgentSecurityConfigError } from '../../src/common/config-error.js';
import { fixedKeys } from '../../src/tokens/key-set.js';
import { readJws } from '../../src/tokens/read-jws.js';
import { resolveTokens } from '../../src/tokens/tokens.options.js';
import { type JwsVector, loadCases } from '../fixtures/load-cases.js';

const { groups, vectors } = loadCases('jwt');
const keyOf = new Map(groups.map(({ id, key }) => [id, key]));

/**
 * Valid vectors that are rejected here. A key that names an algorithm is used with no other (RFC 8725 section 3.1), and a
 * character that is not of base64url's alphabet is not passed over (RFC 7515 section 2).
 */
const REJECTED_BY_CHOICE: ReadonlySet<string> = new Set([
  'sig10-346',
  'sig11-347',
  'sig14-350',
  'sig15-351',
  'sig21-372',
  'sig21-373',
]);

/** Invalid because of the generator of their key (CVE-2017-15361), which is not detected: replacing such a key is up to the issuer. */
const ACCEPTED_BY_CHOICE: ReadonlySet<string> = new Set(['key5-7']);

function options(key: Readonly<Record<string, unknown>>): unknown {
  const keys = (key['keys'] as Record<string, unknown>[] | undefined) ?? [key];
  const symmetric = keys.some(({ kty }) => kty === 'oct');
  // Every algorithm of the kind: what the vectors try must fail by the key alone.
  const algorithms = symmetric
    ? ['HS256', 'HS384', 'HS512']
    : ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
  const source = symmetric ? { secret: keys } : { keys };
  return { issuer: 'https://issuer.example', audience: 'api', algorithms, ...source };
}

async function isValid({ group, jws }: JwsVector): Promise<boolean> {
  let tokens;
  try {
    tokens = resolveTokens('auth.tokens', options(keyOf.get(group)!))!;
  } catch (error) {
    if (error instanceof AgentSecurityConfigError && error.code === 'ASEC_TOKEN_KEY') return false;
    throw error;
  }
  const reading = readJws(jws);
  if (reading === undefined || !tokens.algorithms.includes(reading.alg)) return false;
  for (const key of fixedKeys(tokens.keys).find(reading.alg, reading.kid)) {
    try {
      await compactVerify(jws, key, { algorithms: [reading.alg] });
      return true;
    } catch {
      // Not with this one.
    }
  }
  return false;
}

test('the table is complete', () => {
  expect(vectors).toHaveLength(216);
  expect([...REJECTED_BY_CHOICE].filter(id => !vectors.some(each => each.id === id))).toEqual([]);
});

/** The same bytes are called valid (sig21-357) and invalid: the padding that these were about is not in the table. */
const WITHOUT_THEIR_PADDING: ReadonlySet<string> = new Set(['sig21-367', 'sig21-370']);

test('rejects the padding that the table has lost', () => {
  const valid = vectors.find(({ id }) => id === 'sig21-357')!.jws;
  for (const id of WITHOUT_THEIR_PADDING) expect(vectors.find(each => each.id === id)!.jws).toBe(valid);
  expect(readJws(valid)).toBeDefined();
  expect(readJws(`${valid}=`)).toBeUndefined();
  expect(readJws(valid.replace(/\.([^.]+)\./, '.$1==.'))).toBeUndefined();
});

const tested = vectors.filter(({ id }) => !WITHOUT_THEIR_PADDING.has(id));
const rows = tested.map((each): [string, JwsVector] => [`${each.id} ${each.comment}: ${each.expect}`, each]);

it.each(rows)('%s', async (_title, vector) => {
  const expected =
    vector.expect === 'valid' ? !REJECTED_BY_CHOICE.has(vector.id) : ACCEPTED_BY_CHOICE.has(vector.id);
  expect(await isValid(vector)).toBe(expected);
});
