/* Free text as the audit may show it: what looks like a secret is replaced, by its form, by the name in front of it, or by its place in a
 * URL. Every step takes time in proportion to the text, and leaves the rest readable. */
import { isSecretName, normalizeKey } from './secret-names.js';
import { replaceShapes } from './secret-shapes.js';

export const REDACTED = '[redacted]';

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----/g;
/** Credentials behind the name of their scheme (RFC 9110 section 11.1). */
const SCHEME =
  /\b(?:[Bb]earer|BEARER|[Bb]asic|BASIC|[Dd][Pp]o[Pp]|DPOP|[Tt]oken|[Aa]pi[Kk]ey|[Nn]egotiate)[ \t]+([\w.~+/=-]{8,})/g;
/** Not `basic authentication`, nor `token validation`. */
const CREDENTIAL = /\d|[a-z][A-Z]|[=~+]|.{24}/;
/** `https://user:password@host`; the password may hold what a URL should encode. */
const USERINFO = /(:\/\/[^\s/:@]*:)[^\s/?#"'<>]+@/g;
/** `curl -u user:password`, not `docker run -u 1000:1000`. */
const USER_FLAG = /(?<![^\s"'])((?:-u|--user|--proxy-user)(?:=|[ \t]+)["']?(?!\d+:\d)[^\s"':]+:)[^\s"']+/g;
/** Cards begin with 2 to 6 and have 14 digits or more; times in milliseconds and microseconds begin with 1. */
const DIGITS = /(?<![\d.])[2-6](?:[ -]?\d){13,18}(?!\d)/g;

/** The text with what looks like a secret replaced. */
export function redactText(
  text: string,
  { keys, patterns }: { readonly keys: ReadonlySet<string>; readonly patterns: readonly RegExp[] } = NONE,
): string {
  let shown = text;
  for (const pattern of patterns) shown = shown.replace(pattern, REDACTED);
  return shown.length < MIN_LENGTH ? shown : redactForms(shown, keys);
}

/** `pwd=abc`: no shorter text holds a secret that could be told from other text. */
const MIN_LENGTH = 7;

function redactForms(text: string, keys: ReadonlySet<string>): string {
  const shown = replaceShapes(redactPrivateKeys(text), REDACTED)
    .replace(SCHEME, (found, credential: string) => (CREDENTIAL.test(credential) ? REDACTED : found))
    .replace(USERINFO, `$1${REDACTED}@`)
    .replace(USER_FLAG, `$1${REDACTED}`);
  return redactFlags(redactAssignments(shown, keys), keys).replace(DIGITS, digits =>
    isCardNumber(digits) ? REDACTED : digits,
  );
}

/** A PEM block (RFC 7468), up to the end of the text where its own end was cut. */
function redactPrivateKeys(text: string): string {
  let shown = '';
  let from = 0;
  PRIVATE_KEY.lastIndex = 0;
  for (let match = PRIVATE_KEY.exec(text); match !== null; match = PRIVATE_KEY.exec(text)) {
    shown += text.slice(from, match.index) + REDACTED;
    const endLine = text.indexOf('-----END ', PRIVATE_KEY.lastIndex);
    const end = endLine === -1 ? -1 : text.indexOf('-----', endLine + 9);
    if (end === -1) return shown;
    from = PRIVATE_KEY.lastIndex = end + 5;
  }
  return from === 0 ? text : shown + text.slice(from);
}

/**
 * A name and what assigns to it: `password=`, `"apiKey": "`, `aws_secret_access_key = `, `password%3D`, `PASSWORD => `. The value is read
 * only behind the name of a secret, so that an assignment within another value is found too.
 */
const ASSIGNMENT = /(?<![\w.-])([\w.-]+)(?:\\*["'])?[ \t]*(?:(=>?|:(?!\/\/))|%(?:25)*3[ad])[ \t]*/gi;

function redactAssignments(text: string, keys: ReadonlySet<string>): string {
  return replaceBehind(text, ASSIGNMENT, keys, match => {
    if (match[2] === undefined) return ENCODED_VALUE;
    return match[2] === ':' && HEADER_LINES.test(normalizeKey(match[1]!)) ? LINE : VALUE;
  });
}

/** A field whose whole line is a credential: `Cookie: a=b; c=d`. */
const HEADER_LINES = /(?:authorization|cookie)$/;

/** `--password hunter2`; an assignment with `=` is one like every other. */
const FLAG = /(?<![\w-])--?([a-z][\w-]+)[ \t]+(?![ \t-])/gi;

function redactFlags(text: string, keys: ReadonlySet<string>): string {
  return text.includes('-') ? replaceBehind(text, FLAG, keys, () => VALUE) : text;
}

/** A value in quotes goes to their end, or to the end of the text where it was cut; without them, to the next separator. */
const VALUE = /\\*"[^"\n]*|\\*'[^'\n]*|[^\s"'&;,]{3,}/y;
/** A line of a header, as text or as one quoted argument. */
const LINE = /["']?[^\r\n"']{3,}/y;
/** Within a text that was percent-encoded as a whole, to the next encoded `&`, `"`, `;` or blank. */
const ENCODED_VALUE = /(?:(?!%(?:25)*(?:26|22|3b|20))[^\s"'&;,]){3,}/iy;
const QUOTE = /^\\*["']/;

/** Replaces the value behind each match that names a secret in its first group. Nothing is read twice but the names. */
function replaceBehind(
  text: string,
  names: RegExp,
  keys: ReadonlySet<string>,
  valueOf: (match: RegExpExecArray) => RegExp,
): string {
  let shown = '';
  let from = 0;
  names.lastIndex = 0;
  for (let match = names.exec(text); match !== null; match = names.exec(text)) {
    // Behind `%26`, the encoded `&`, the escape's digits are no part of the name.
    const name = text[match.index - 1] === '%' ? match[1]!.slice(2) : match[1]!;
    if (!isSecretName(name, keys)) continue;
    const value = valueOf(match);
    value.lastIndex = names.lastIndex;
    const found = value.exec(text)?.[0];
    if (found === undefined) continue;
    const quote = QUOTE.exec(found)?.[0] ?? '';
    if (found.length === quote.length) continue;
    shown += text.slice(from, names.lastIndex) + quote + REDACTED;
    from = names.lastIndex += found.length;
  }
  return from === 0 ? text : shown + text.slice(from);
}

const NONE = { keys: new Set<string>(), patterns: [] };

/** The check digit of ISO/IEC 7812 (Luhn). */
export function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
