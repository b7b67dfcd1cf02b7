/* Parameters as the audit may show them: secrets replaced, by the name of their key and by their look, and everything bounded. It reads
 * what a client sent, perhaps before anything has checked it. */

export interface Redaction {
  /** Names of keys whose values are not shown, as `normalizeKey` writes them. */
  readonly keys: ReadonlySet<string>;
  readonly patterns: readonly RegExp[];
  /** UTF-16 units of text that the parameters of one record may have, about. */
  readonly maxChars: number;
}

export const REDACTED = '[redacted]';
const CUT = '[cut]';

const MAX_DEPTH = 8;
const MAX_ENTRIES = 100;
const MAX_TEXT = 1_024;
const MAX_KEY = 128;
/** A secret that the end of a shown text would cut is still found whole. */
const LOOK_AHEAD = 2_048;

/** `api_key`, `apiKey` and `API-Key` are one key. */
export function normalizeKey(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Wherever they stand in a key. */
const SECRET_PARTS =
  /passw(?:or)?d|passphrase|secret|apikey|privatekey|accesskey|signingkey|encryptionkey|credential|authorization|cookie/;
/** `token`, `accessToken`, `csrf_token`; not `maxTokens`. */
const SECRET_ENDS = /token$|jwt$/;
const SECRET_KEYS: ReadonlySet<string> = new Set([
  'pwd',
  'pass',
  'pin',
  'otp',
  'totp',
  'mfa',
  'cvv',
  'cvc',
  'csc',
  'cardnumber',
  'pan',
  'ssn',
  'iban',
  'bearer',
  'signature',
  'assertion',
  'seed',
  'mnemonic',
]);

export function isSecretKey(key: string, more: ReadonlySet<string>): boolean {
  const normal = normalizeKey(key.slice(0, MAX_KEY));
  return SECRET_KEYS.has(normal) || SECRET_PARTS.test(normal) || SECRET_ENDS.test(normal) || more.has(normal);
}

/** Each takes time in proportion to the text: no repetition stands within another or beside one that takes the same characters. */
const SECRET_LOOKS: readonly RegExp[] = [
  // JSON Web Tokens, whole or without their signature.
  /\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}/g,
  /\b(?:bearer|basic|dpop|token)[ \t]+[\w.~+/=-]{8,}/gi,
  // Keys by the prefix that their issuers give them (OpenAI, Anthropic, Stripe, GitHub, GitLab, Slack, AWS, Google, npm, Hugging Face).
  /\b(?:sk|pk|rk)[-_][\w-]{16,}/g,
  /\b(?:gh[pousr]_|github_pat_|glpat-|npm_|hf_|xox[abeoprs]-|xapp-)[\w-]{10,}/g,
  /\b(?:AKIA|ASIA|AROA)[0-9A-Z]{16}\b/g,
  /\bAIza[\w-]{30,}/g,
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,8192}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
];
/** What stands behind such a name within a text: a query, a form, a connection string. */
const ASSIGNED =
  /\b((?:api[-_]?key|access[-_]?token|refresh[-_]?token|id[-_]?token|client[-_]?secret|token|secret|password|passwd|pwd|signature)["']?[ \t]{0,4}[=:][ \t]{0,4}["']?)([^\s"'&;,]{3,})/gi;
/** `https://user:password@host`. */
const USERINFO = /(:\/\/[^\s/:@]{0,256}:)[^\s/@]{1,256}@/g;
/** Cards begin with 2 to 6 and have 14 digits or more; times in milliseconds and microseconds begin with 1. */
const DIGITS = /(?<![\d.])[2-6](?:[ -]?\d){13,18}(?!\d)/g;

/** The text with what looks like a secret replaced. */
export function redactText(text: string, patterns: readonly RegExp[] = []): string {
  let shown = text;
  for (const look of SECRET_LOOKS) shown = shown.replace(look, REDACTED);
  shown = shown
    .replace(ASSIGNED, `$1${REDACTED}`)
    .replace(USERINFO, `$1${REDACTED}@`)
    .replace(DIGITS, digits => (isCardNumber(digits) ? REDACTED : digits));
  for (const pattern of patterns) shown = shown.replace(pattern, REDACTED);
  return shown;
}

/** The check digit of ISO/IEC 7812 (Luhn). */
function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

interface Budget {
  chars: number;
}

/** A copy that can be shown: plain objects, lists, texts, numbers, true, false and null. It never throws. */
export function redact(value: unknown, redaction: Redaction): unknown {
  try {
    return copy(value, redaction, { chars: redaction.maxChars }, 0);
  } catch {
    // A getter or a proxy of the app's own.
    return '[unreadable]';
  }
}

function copy(value: unknown, redaction: Redaction, budget: Budget, depth: number): unknown {
  // A number takes room too, and so does what stands between two of them.
  budget.chars -= 8;
  if (budget.chars < 0) return CUT;
  switch (typeof value) {
    case 'string':
      return copyText(value, redaction, budget);
    case 'number':
      return isCardLike(value) ? REDACTED : Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return copyText(String(value), redaction, budget);
    case 'object':
      return value === null ? null : copyObject(value, redaction, budget, depth);
    default:
      return value === undefined ? undefined : `[${typeof value}]`;
  }
}

/** A card's number may come as a number; of other numbers of that length and beginning, one in ten looks like one. */
function isCardLike(value: number): boolean {
  return (
    value >= 2e13 &&
    Number.isSafeInteger(value) &&
    /^[2-6]/.test(String(value)) &&
    isCardNumber(String(value))
  );
}

function copyText(text: string, { patterns }: Redaction, budget: Budget): string {
  const room = Math.min(MAX_TEXT, budget.chars);
  const shown = redactText(text.slice(0, room + LOOK_AHEAD), patterns);
  budget.chars -= Math.min(shown.length, room);
  return shown.length > room || text.length > room + LOOK_AHEAD ? `${shown.slice(0, room)}${CUT}` : shown;
}

function copyObject(value: object, redaction: Redaction, budget: Budget, depth: number): unknown {
  if (depth >= MAX_DEPTH) return CUT;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ENTRIES).map(item => copy(item, redaction, budget, depth + 1));
    return value.length > MAX_ENTRIES ? [...items, CUT] : items;
  }
  // Without a prototype, so that a key `__proto__` is one like any other.
  const shown = Object.create(null) as Record<string, unknown>;
  let entries = 0;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    if (entries === MAX_ENTRIES || budget.chars < 0) {
      shown[CUT] = true;
      break;
    }
    entries++;
    const name = copyText(key.slice(0, MAX_KEY), redaction, budget);
    shown[name] = isSecretKey(key, redaction.keys)
      ? REDACTED
      : copy((value as Record<string, unknown>)[key], redaction, budget, depth + 1);
  }
  return shown;
}
