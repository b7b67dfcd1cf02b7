/* One text for several parts, for the key of a counter, a map or a store. Use it wherever a part is chosen by a client or by the app:
 * parts that are only concatenated let one owner write the key of another (`read_file` + `:` + `agent:bob`). */

/**
 * Joins the parts with their lengths in front. Two lists of parts have one key only if their parts are the same text.
 *
 * The key is well-formed Unicode, so that no store's UTF-8 makes one key of two: a part with a lone surrogate is written in hexadecimal.
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
