/* Joins several parts into one key of a counter, a map or a store. Use it wherever a client or the app chooses a part: plain concatenation
 * lets one client produce the key of another (`read_file` + `:` + `agent:bob`). */

/**
 * Joins the parts, each prefixed with its length. Two lists of parts have the same key only if their parts are equal.
 *
 * The key is well-formed Unicode, so that two keys stay different in the UTF-8 of a store: a part with a lone surrogate
 * is written in hexadecimal.
 */
export function joinKey(...parts: readonly (string | number)[]): string {
  let key = '';
  for (const part of parts) {
    const text = String(part);
    key += LONE_SURROGATE.test(text) ? hexOf(text) : `${text.length}:${text}`;
  }
  return key;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function hexOf(text: string): string {
  const hex = Buffer.from(text, 'utf16le').toString('hex');
  return `${hex.length}u:${hex}`;
}
