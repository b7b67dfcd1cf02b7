/* Fetches an issuer's key set (RFC 7517 section 5) with bounds on time and size. The URL comes from the options, never from a token. */
import { isRecord } from '../common/read-options.js';
import { readPublicJwk, repeatedKeyIds, type TokenKey, UnusableKeyError } from './token-key.js';

const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;

/** @throws Error for a response that is not a key set, too large or too slow */
export async function fetchKeys(uri: URL, timeoutMs: number): Promise<readonly TokenKey[]> {
  const response = await fetch(uri, {
    headers: { Accept: 'application/jwk-set+json, application/json' },
    // A redirect could lead to an address that the options do not allow.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${uri.origin} answered ${response.status}`);
  }
  return readKeySet(JSON.parse(await readText(response)));
}

/** The usable keys of a set; others are ignored (RFC 7517 section 5). @throws Error if it is not a key set */
export function readKeySet(set: unknown): readonly TokenKey[] {
  if (!isRecord(set) || !Array.isArray(set['keys']))
    throw new Error('The response is not a JSON Web Key Set');
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
