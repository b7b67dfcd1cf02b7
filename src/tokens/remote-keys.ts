/* An issuer's key set on the network (RFC 7517 section 5), read with bounds: an address of the options, never of a token. */
import { isRecord } from '../common/read-options.js';
import { readPublicJwk, repeatedKeyIds, type TokenKey, UnusableKeyError } from './token-key.js';

const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;

/** @throws Error for an answer that is no key set, is too large, or comes too late */
export async function fetchKeys(uri: URL, timeoutMs: number): Promise<readonly TokenKey[]> {
  const response = await fetch(uri, {
    headers: { Accept: 'application/jwk-set+json, application/json' },
    // A redirect could lead to where the options did not allow.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${uri.origin} answered ${response.status}`);
  }
  return readKeySet(JSON.parse(await readText(response)));
}

/** The keys of a set that can be used; what else it holds is left out (RFC 7517 section 5). @throws Error if it is no key set */
export function readKeySet(set: unknown): readonly TokenKey[] {
  if (!isRecord(set) || !Array.isArray(set['keys'])) throw new Error('The answer is no JSON Web Key Set');
  if (set['keys'].length > MAX_KEYS) throw new Error(`The key set has more than ${MAX_KEYS} keys`);
  const keys = set['keys'].flatMap(jwk => {
    try {
      return readPublicJwk(jwk);
    } catch (error) {
      if (error instanceof UnusableKeyError) return [];
      throw error;
    }
  });
  const repeated = repeatedKeyIds(keys);
  return keys.filter(({ kid }) => kid === undefined || !repeated.has(kid));
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_BYTES) throw new Error(`The key set has more than ${MAX_BYTES} bytes`);
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}
