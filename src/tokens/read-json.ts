/* JSON of a stranger whose names decide something: each name once, and none that reaches a prototype. */
import { isRecord } from '../common/read-options.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The object that the bytes hold; `undefined` for anything else, for a name that comes twice, and for `__proto__`. */
export function readJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = UTF8.decode(bytes);
    const value: unknown = JSON.parse(text);
    return isRecord(value) && !repeatsName(text) ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether an object, at any depth, names a member twice: parsers differ in which one they keep, so that a check and its user could see
 * different values (RFC 7519 section 4, RFC 8725 section 2.4).
 * @param json text that `JSON.parse` has taken
 */
export function repeatsName(json: string): boolean {
  /** The names of each open object; `undefined` for an open list. */
  const open: (Set<string> | undefined)[] = [];
  let names: Set<string> | undefined;
  let atName = false;
  for (let index = 0; index < json.length; index++) {
    switch (json.charCodeAt(index)) {
      case 0x22: {
        const end = endOfString(json, index);
        if (atName && names !== undefined) {
          const literal = json.slice(index, end + 1);
          const name = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
          if (name === '__proto__' || names.has(name)) return true;
          names.add(name);
          atName = false;
        }
        index = end;
        break;
      }
      case 0x7b:
        open.push((names = new Set()));
        atName = true;
        break;
      case 0x5b:
        open.push((names = undefined));
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        names = open.at(-1);
        break;
      case 0x2c:
        atName = names !== undefined;
        break;
    }
  }
  return false;
}

function endOfString(json: string, start: number): number {
  for (let index = start + 1; index < json.length; index++) {
    const char = json.charCodeAt(index);
    if (char === 0x5c) index++;
    else if (char === 0x22) return index;
  }
  return json.length;
}
