/* JSON that every parser reads alike: no key twice in one object (RFC 8259 section 4 leaves open which of them counts), nothing but UTF-8,
 * a bounded depth. What was judged must be what the server behind reads. */

export type StrictJson =
  | { readonly valid: true; readonly value: unknown }
  | { readonly valid: false; readonly reason: 'syntax' | 'duplicate-key' | 'too-deep' };

/** A byte order mark is kept, and so is no JSON: some readers drop it, others stop at it. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseStrictJson(bytes: Uint8Array, maxDepth: number): StrictJson {
  let text: string;
  let value: unknown;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return { valid: false, reason: 'syntax' };
  }
  const reason = scan(text, maxDepth);
  return reason === undefined ? { valid: true, value } : { valid: false, reason };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COLON = 0x3a;

/** Walks text that is known to be JSON, and looks at keys and brackets alone. */
function scan(text: string, maxDepth: number): 'duplicate-key' | 'too-deep' | undefined {
  /** The keys of each open object; `undefined` for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let index = 0;
  while (index < text.length) {
    const char = text.charCodeAt(index);
    if (char === QUOTE) {
      const end = endOfString(text, index);
      if (isKey(text, end)) {
        const keys = open.at(-1)!;
        const key = JSON.parse(text.slice(index, end)) as string;
        if (keys.has(key)) return 'duplicate-key';
        keys.add(key);
      }
      index = end;
      continue;
    }
    if (char === OPEN_OBJECT || char === OPEN_ARRAY) {
      if (open.length >= maxDepth) return 'too-deep';
      open.push(char === OPEN_OBJECT ? new Set() : undefined);
    } else if (char === CLOSE_OBJECT || char === CLOSE_ARRAY) {
      open.pop();
    }
    index++;
  }
  return undefined;
}

/** The index behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let index = start + 1;
  for (; text.charCodeAt(index) !== QUOTE; index++) {
    if (text.charCodeAt(index) === BACKSLASH) index++;
  }
  return index + 1;
}

function isKey(text: string, end: number): boolean {
  let index = end;
  while (text.charCodeAt(index) <= 0x20) index++;
  return text.charCodeAt(index) === COLON;
}
