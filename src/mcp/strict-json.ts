/* JSON that every parser reads alike: no key twice in one object (RFC 8259 section 4 leaves open which of them counts), nothing but UTF-8,
 * a bounded depth. What was judged must be what the server behind reads. */
import { JsonScanner } from '../body/scan-json.js';

export type StrictJson =
  | { readonly valid: true; readonly value: unknown }
  | { readonly valid: false; readonly reason: 'syntax' | 'duplicate-key' | 'too-deep' };

/** A byte order mark is kept, and so is no JSON: some readers drop it, others stop at it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseStrictJson(bytes: Uint8Array, maxDepth: number): StrictJson {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch {
    return { valid: false, reason: 'syntax' };
  }
  const fault = new JsonScanner(maxDepth, Infinity).scan(bytes);
  if (fault === undefined) return { valid: true, value };
  return { valid: false, reason: fault === 'depth' ? 'too-deep' : 'duplicate-key' };
}
