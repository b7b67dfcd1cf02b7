/* Parameters as the audit may show them: secrets replaced, by the name of their key and by their look, and everything bounded. It reads
 * what a client sent, so that its time is bounded by `maxChars`, whatever becomes of what it reads. */
import { isCardNumber, REDACTED, redactText } from './redact-text.js';
import { isSecretName, MAX_NAME, normalizeKey } from './secrets.js';

export interface Redaction {
  /** Names of keys whose values are not shown, as `normalizeKey` writes them. */
  readonly keys: ReadonlySet<string>;
  readonly patterns: readonly RegExp[];
  /** UTF-16 units of text that are read for the parameters of one record, about; as much is shown at most. */
  readonly maxChars: number;
}

/** The parts of `audit` that say what is shown. */
export interface RedactionOptions {
  readonly redactKeys: ReadonlySet<string>;
  readonly redactPatterns: readonly RegExp[];
  readonly maxParamsChars: number;
}

/** The parameters of a tool as they may be shown. @param own the names of keys that the tool itself hides */
export function redactParams(params: unknown, own: readonly string[], options: RedactionOptions): unknown {
  const { redactKeys, redactPatterns: patterns, maxParamsChars: maxChars } = options;
  const keys = own.length === 0 ? redactKeys : new Set([...redactKeys, ...own.map(normalizeKey)]);
  return redact(params, { keys, patterns, maxChars });
}

const CUT = '[cut]';

const MAX_DEPTH = 8;
const MAX_ENTRIES = 100;
const MAX_TEXT = 1_024;
/** A secret that the end of a shown text would cut is still recognized, since no form needs more than this to be known. */
const LOOK_AHEAD = 256;

/** `chars`: how many may still be read. Input counts, not output: a text of secrets is long to read and short to show. */
type Work = Redaction & { chars: number };

/** A copy that can be shown: plain objects, lists, texts, numbers, true, false and null. It never throws. */
export function redact(value: unknown, redaction: Redaction): unknown {
  try {
    return copy(value, { ...redaction, chars: redaction.maxChars }, 0);
  } catch {
    // A getter or a proxy of the app's own.
    return '[unreadable]';
  }
}

function copy(value: unknown, work: Work, depth: number): unknown {
  // A number takes room too, and so does what stands between two of them.
  work.chars -= 8;
  if (work.chars < 0) return CUT;
  switch (typeof value) {
    case 'string':
      return copyText(value, MAX_TEXT, work);
    case 'number':
      return isCardLike(value) ? REDACTED : Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return copyText(value.toString(), MAX_TEXT, work);
    case 'object':
      return value === null ? null : copyObject(value, work, depth);
    default:
      return value === undefined ? undefined : `[${typeof value}]`;
  }
}

/** A card's number may come as a number; of other numbers of that length and beginning, one in ten looks like one. */
function isCardLike(value: number): boolean {
  if (value < 2e13 || !Number.isSafeInteger(value)) return false;
  return /^[2-6]/.test(String(value)) && isCardNumber(String(value));
}

function copyText(text: string, maxShown: number, work: Work): string {
  const room = Math.max(0, Math.min(maxShown, work.chars));
  const read = text.slice(0, room + LOOK_AHEAD);
  work.chars -= read.length;
  const shown = redactText(read, work);
  return shown.length > room || text.length > read.length ? `${shown.slice(0, room)}${CUT}` : shown;
}

function copyObject(value: object, work: Work, depth: number): unknown {
  if (depth >= MAX_DEPTH) return CUT;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (Array.isArray(value)) return copyList(value, work, depth);
  // Without a prototype, so that a key `__proto__` is one like any other.
  const shown = Object.create(null) as Record<string, unknown>;
  const members = value as Record<string, unknown>;
  const namesSecret = nameIn(members, work.keys);
  let entries = 0;
  for (const key in members) {
    if (!Object.hasOwn(members, key)) continue;
    if (entries === MAX_ENTRIES || work.chars < 0) {
      shown[CUT] = true;
      break;
    }
    entries++;
    let name = copyText(key, MAX_NAME, work);
    // Two keys that look alike when they are cut or redacted are two.
    if (name in shown) name += `#${entries}`;
    shown[name] =
      isSecretName(key, work.keys) || (namesSecret && VALUE_KEYS.has(key.toLowerCase()))
        ? REDACTED
        : copy(members[key], work, depth + 1);
  }
  return shown;
}

/** Members of an object that names a parameter, a field, a header or a variable: `{ "name": "password", "value": "x" }`. */
const NAME_KEYS = ['name', 'Name', 'key', 'Key', 'field', 'header', 'parameter', 'variable', 'k'] as const;
const VALUE_KEYS: ReadonlySet<string> = new Set(
  'value values val v content text data default defaultvalue currentvalue newvalue oldvalue stringvalue'.split(
    ' ',
  ),
);

function nameIn(members: Readonly<Record<string, unknown>>, keys: ReadonlySet<string>): boolean {
  return NAME_KEYS.some(key => {
    const name = members[key];
    return typeof name === 'string' && isSecretName(name, keys);
  });
}

function copyList(items: readonly unknown[], work: Work, depth: number): readonly unknown[] {
  const shown: unknown[] = [];
  /** Whether the item before names a secret whose value this one is. */
  let isValue = false;
  for (const item of items) {
    if (shown.length === MAX_ENTRIES || work.chars < 0) {
      shown.push(CUT);
      break;
    }
    const isFlag = typeof item === 'string' && item.startsWith('-');
    const isHidden = isValue && !isFlag;
    isValue = isFlag && namesValue(item, work.keys);
    if (isHidden) shown.push(REDACTED);
    else if (isSecretPair(item, work.keys)) shown.push([item[0], REDACTED]);
    else shown.push(copy(item, work, depth + 1));
  }
  return shown;
}

/** `["Authorization", "…"]` in a list of such pairs. */
function isSecretPair(item: unknown, keys: ReadonlySet<string>): item is [string, unknown] {
  return Array.isArray(item) && item.length === 2 && typeof item[0] === 'string' && namesValue(item[0], keys);
}

const NAME_ITEM = /^-{0,2}[\w.-]{2,64}$/;

/** Of a list of arguments (`--password`) or of a pair. */
function namesValue(item: string, keys: ReadonlySet<string>): boolean {
  return NAME_ITEM.test(item) && isSecretName(item, keys);
}
