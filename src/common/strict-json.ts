/* JSON that every parser reads alike: no key twice in one object (RFC 8259 section 4 leaves open which of them counts), nothing but UTF-8,
 * a bounded depth, a bounded number of keys, arrays and objects. It is scanned first: what is refused costs a look at its bytes and is never parsed. */
import { JsonScanner } from './scan-json.js';

export type StrictJson =
  | { readonly valid: true; readonly value: unknown }
  | {
      readonly valid: false;
      readonly reason: 'syntax' | 'duplicate-key' | 'too-deep' | 'too-many-keys' | 'too-many-containers';
    };

const REASONS = {
  duplicate: 'duplicate-key',
  depth: 'too-deep',
  keys: 'too-many-keys',
  containers: 'too-many-containers',
  utf8: 'syntax',
} as const;

/** A byte order mark is kept, and so is no JSON: some readers drop it, others stop at it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseStrictJson(bytes: Uint8Array, maxDepth: number, maxKeys: number): StrictJson {
  const fault = new JsonScanner(maxDepth, maxKeys).scan(bytes);
  if (fault !== undefined) return { valid: false, reason: REASONS[fault] };
  try {
    return { valid: true, value: JSON.parse(UTF8.decode(bytes)) };
  } catch {
    return { valid: false, reason: 'syntax' };
  }
}
