/* Free text as the audit may show it: what looks like a secret is replaced, by its form, by the name before it, or by its place in a
 * URL. Every step takes time in proportion to the text, and leaves the rest readable. */
import { hideUrlPasswords } from '../common/log-text.js';
import { isSecretName, normalizeKey, replaceShapes } from './secrets.js';

export const REDACTED = '[redacted]';

type Names = ReadonlySet<string>;

/** The text with what looks like a secret replaced. */
export function redactText(
  text: string,
  { keys, patterns }: { readonly keys: Names; readonly patterns: readonly RegExp[] } = NONE,
): string {
  let shown = text;
  for (const pattern of patterns) shown = shown.replace(pattern, REDACTED);
  if (shown.length < MIN_LENGTH) return shown;
  shown = replaceShapes(redactPrivateKeys(shown), REDACTED);
  shown = hideUrlPasswords(redactSchemes(shown));
  shown = redactFlags(redactAssignments(shown, keys), keys);
  return shown.replace(DIGITS, digits => (isCardNumber(digits) ? REDACTED : digits));
}

const NONE = { keys: new Set<string>(), patterns: [] };

/** `pwd=abc`: no shorter text holds a secret that can be recognized. */
const MIN_LENGTH = 7;

/** Cards begin with 2 to 6 and have 14 digits or more; times in milliseconds and microseconds begin with 1. */
const DIGITS = /(?<![\d.])[2-6](?:[ -]?\d){13,18}(?!\d)/g;

type Range = readonly [start: number, end: number];

/**
 * Replaces a range behind each place that the expression finds. Behind a range the search goes on at its end, else behind the match, so
 * that nothing is read twice but what a match is followed by.
 */
function replaceRanges(
  text: string,
  places: RegExp,
  rangeOf: (match: RegExpExecArray, end: number) => Range | undefined,
): string {
  let shown = '';
  let from = 0;
  places.lastIndex = 0;
  for (let match = places.exec(text); match !== null; match = places.exec(text)) {
    const range = rangeOf(match, places.lastIndex);
    if (range === undefined) continue;
    shown += text.slice(from, range[0]) + REDACTED;
    from = places.lastIndex = range[1];
  }
  return from === 0 ? text : shown + text.slice(from);
}

/** What a sticky expression finds at a place. */
function textAt(text: string, expression: RegExp, index: number): string | undefined {
  expression.lastIndex = index;
  return expression.exec(text)?.[0];
}

const BEGIN = /-----BEGIN ([A-Z ]*)-----/g;

/** A private key in PEM (RFC 7468), up to the end of the text where its own end was cut. */
function redactPrivateKeys(text: string): string {
  return replaceRanges(text, BEGIN, (match, end) => {
    if (!match[1]!.includes('PRIVATE KEY')) return undefined;
    const endLine = text.indexOf('-----END ', end);
    const last = endLine === -1 ? -1 : text.indexOf('-----', endLine + 9);
    return [match.index, last === -1 ? text.length : last + 5];
  });
}

const SCHEME = /\b(?:bearer|basic|dpop|token|apikey|negotiate)[ \t]/gi;
const CREDENTIAL = /[ \t]*[\w.~+/=-]{8,}/y;
/** Not `basic authentication`, nor `token validation`. */
const RANDOM = /\d|[a-z][A-Z]|[=~+]|.{24}/;

/** Credentials behind the name of their scheme (RFC 9110 section 11.1). */
function redactSchemes(text: string): string {
  return replaceRanges(text, SCHEME, (match, end) => {
    const credential = textAt(text, CREDENTIAL, end);
    if (credential === undefined || !RANDOM.test(credential)) return undefined;
    return [match.index, end + credential.length];
  });
}

/**
 * A name and what assigns to it: `password=`, `"apiKey": "`, `aws_secret_access_key = `, `password%3D`, `PASSWORD => `. The value is read
 * only behind the name of a secret, so that an assignment within another value is found too.
 */
const ASSIGNMENT = /(?<![\w.-])([\w.-]+)(?:\\*["'])?[ \t]*(?:(=>?|:(?!\/\/))|%(?:25)*3[ad])[ \t]*/gi;
/** A field whose whole line is a credential: `Cookie: a=b; c=d`. */
const HEADER_LINES = /(?:authorization|cookie)$/;

function redactAssignments(text: string, keys: Names): string {
  return replaceRanges(text, ASSIGNMENT, (match, end) => {
    const [, name, sign] = match;
    // Behind `%26`, the encoded `&`, the escape's digits are no part of the name.
    if (!isSecretName(text[match.index - 1] === '%' ? name!.slice(2) : name!, keys)) return undefined;
    if (sign === undefined) return valueAt(text, ENCODED_VALUE, end);
    const isLine = sign === ':' && HEADER_LINES.test(normalizeKey(name!));
    return valueAt(text, isLine ? LINE : VALUE, end);
  });
}

/** `--password hunter2`, `-u user:hunter2`; an assignment with `=` is one like every other. */
const FLAG = /(?<![\w-])--?([a-z][\w-]*)(=|[ \t]+)/gi;
const USER_FLAGS: Names = new Set(['u', 'user', 'proxy-user']);
/** Of curl; not the numbers of `docker run -u 1000:1000`. */
const USER = /["']?(?!\d+:\d)[^\s"':]+:/y;

function redactFlags(text: string, keys: Names): string {
  if (!text.includes('-')) return text;
  return replaceRanges(text, FLAG, (match, end) => {
    const [, name, sign] = match;
    if (USER_FLAGS.has(name!)) {
      const user = textAt(text, USER, end);
      return user === undefined ? undefined : valueAt(text, VALUE, end + user.length);
    }
    if (sign === '=' || text[end] === '-' || !isSecretName(name!, keys)) return undefined;
    return valueAt(text, VALUE, end);
  });
}

/** A value in quotes goes to their end, or to the end of the text where it was cut; without them, to the next separator. */
const VALUE = /\\*"[^"\n]*|\\*'[^'\n]*|[^\s"'&;,]{3,}/y;
/** A line of a header, as text or as one quoted argument. */
const LINE = /["']?[^\r\n"']{3,}/y;
/** Within a text that was percent-encoded as a whole, to the next encoded `&`, `"`, `;` or blank. */
const ENCODED_VALUE = /(?:(?!%(?:25)*(?:26|22|3b|20))[^\s"'&;,]){3,}/iy;
const QUOTE = /^\\*["']/;

/** The value at a place, without its opening quote. */
function valueAt(text: string, expression: RegExp, index: number): Range | undefined {
  const found = textAt(text, expression, index);
  if (found === undefined) return undefined;
  const quote = QUOTE.exec(found)?.[0] ?? '';
  return found.length === quote.length ? undefined : [index + quote.length, index + found.length];
}

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
