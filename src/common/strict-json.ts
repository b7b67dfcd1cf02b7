/* Parses JSON that every parser reads alike. */
import { scanJson } from './scan-json.js';

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

/** Keeps a byte order mark, which makes the JSON invalid: some parsers skip it, others fail. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses JSON that every parser reads alike: no duplicate keys, valid UTF-8, bounded depth, keys and containers. The bytes are scanned first,
 * so that rejected JSON is never parsed.
 */
export function parseStrictJson(bytes: Uint8Array, maxDepth: number, maxKeys: number): StrictJson {
  const fault = scanJson(bytes, maxDepth, maxKeys);
  if (fault !== undefined) return { valid: false, reason: REASONS[fault] };
  try {
    return { valid: true, value: JSON.parse(UTF8.decode(bytes)) };
  } catch {
    return { valid: false, reason: 'syntax' };
  }
}
