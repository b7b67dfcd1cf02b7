/* Checks JSON while its bytes arrive, before a parser reads it: duplicate keys, nesting, the number of keys and containers, UTF-8. A parser
 * keeps the last of two equal keys, where a proxy may have checked the first (RFC 8259 section 4 leaves it open). The scanner reads keys,
 * brackets and quotes only; whether the text is valid JSON is left to the parser. */
import { isUtf8 } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { Utf8Check } from './utf8-check.js';

export type JsonFault = 'duplicate' | 'depth' | 'keys' | 'containers' | 'utf8';

/** The most arrays and objects in one body. Parsing 4 MB of brackets takes a second: a container costs far more than a byte. */
export const MAX_CONTAINERS = 100_000;

/** Random, so that an attacker cannot construct two keys with one hash. Equal keys have equal hashes, so no duplicate is missed. */
const SEED_A = randomInt(2 ** 32 - 1) | 0;
const SEED_B = randomInt(2 ** 32 - 1) | 0;
const PRIME_A = 0x0100_0193;
const PRIME_B = 0x85eb_ca6b;

/** Up to this number, the keys of an object are compared one by one. */
const FEW_KEYS = 128;

const OUTSIDE = 0;
const IN_VALUE = 1;
const VALUE_ESCAPE = 2;
const IN_KEY = 3;
const KEY_ESCAPE = 4;
/** Within the four digits of `\u`. */
const KEY_UNICODE = 5;

/** What a byte outside of strings means. Digits, signs, letters and white space mean nothing here. */
const OTHER = 0;
const QUOTE = 1;
const COMMA = 2;
const COLON = 3;
const OPEN_OBJECT = 4;
const OPEN_ARRAY = 5;
const CLOSE = 6;
const KINDS = new Uint8Array(256);
for (const [character, kind] of [
  ['"', QUOTE],
  [',', COMMA],
  [':', COLON],
  ['{', OPEN_OBJECT],
  ['[', OPEN_ARRAY],
  ['}', CLOSE],
  [']', CLOSE],
] as const)
  KINDS[character.charCodeAt(0)] = kind;

const ESCAPED: Readonly<Record<number, number>> = { 0x62: 8, 0x66: 12, 0x6e: 10, 0x72: 13, 0x74: 9 };

export class JsonScanner {
  #mode = OUTSIDE;
  #expectsKey = false;
  #depth = 0;
  /** For each open bracket: the index in `#hashes` of the object's first key; -1 for an array. */
  readonly #starts: number[] = [-1];
  /** The hashes of the keys of all open objects. */
  readonly #hashes: number[] = [];
  /** For each open object, one bit for each five bits that the hash of a key ends with. A key whose bit is not set is new. */
  readonly #seen: number[] = [];
  #open = 0;
  /** The keys of each open object with many keys, by its depth. */
  #many: Map<number, Set<number>> | undefined;
  #keys = 0;
  #containers = 0;
  #hashA = 0;
  #hashB = 0;
  /** The code unit of a `\u` escape so far, and how many of its digits were read. */
  #unit = 0;
  #digits = 0;
  /** The high surrogate of an open pair, or 0. */
  #high = 0;
  /** Created for the first chunk that is not valid UTF-8 by itself, which is rare. */
  #utf8: Utf8Check | undefined;

  constructor(
    private maxDepth: number,
    private maxKeys: number,
    private allowsDuplicates = false,
  ) {}

  /** Begins anew, with the memory that it has. */
  restart(maxDepth: number, maxKeys: number, allowsDuplicates: boolean): void {
    this.maxDepth = maxDepth;
    this.maxKeys = maxKeys;
    this.allowsDuplicates = allowsDuplicates;
    this.#mode = OUTSIDE;
    this.#expectsKey = false;
    this.#depth = this.#open = this.#keys = this.#containers = this.#high = 0;
    this.#many = undefined;
    this.#utf8 = undefined;
  }

  /** Scans the next bytes. @returns the first fault, as soon as it is certain */
  scan(bytes: Uint8Array): JsonFault | undefined {
    if ((this.#utf8 !== undefined || !isUtf8(bytes)) && !(this.#utf8 ??= new Utf8Check()).accepts(bytes))
      return 'utf8';
    const { length } = bytes;
    let mode = this.#mode;
    if (mode === IN_KEY && this.#high !== 0 && bytes[0] !== 0x5c && length > 0) this.#addLoneSurrogate();
    let expectsKey = this.#expectsKey;
    let isObject = this.#starts[this.#depth]! >= 0;
    let a = this.#hashA;
    let b = this.#hashB;
    let index = 0;
    while (index < length) {
      if (mode === OUTSIDE) {
        let kind = OTHER;
        while (index < length && (kind = KINDS[bytes[index++]!]!) === OTHER);
        if (kind === QUOTE) {
          mode = IN_VALUE;
          if (expectsKey) {
            mode = IN_KEY;
            a = SEED_A;
            b = SEED_B;
          }
        } else if (kind === COMMA) expectsKey = isObject;
        else if (kind === COLON) expectsKey = false;
        else if (kind === OPEN_OBJECT || kind === OPEN_ARRAY) {
          if (++this.#containers > MAX_CONTAINERS) return 'containers';
          if (++this.#depth > this.maxDepth) return 'depth';
          expectsKey = isObject = kind === OPEN_OBJECT;
          this.#starts[this.#depth] = isObject ? this.#open : -1;
          this.#seen[this.#depth] = 0;
        } else if (kind === CLOSE && this.#depth > 0) {
          this.#close();
          expectsKey = false;
          isObject = this.#starts[this.#depth]! >= 0;
        }
      } else if (mode === IN_VALUE) {
        const quote = bytes.indexOf(0x22, index);
        const end = quote === -1 ? length : quote;
        // Only the backslashes before a quote matter, or before the end of the chunk: an odd number of them escapes the next byte.
        let firstEscape = end;
        while (firstEscape > index && bytes[firstEscape - 1] === 0x5c) firstEscape--;
        const isEscaped = (end - firstEscape) % 2 === 1;
        index = end + 1;
        if (quote !== -1) mode = isEscaped ? IN_VALUE : OUTSIDE;
        else if (isEscaped) mode = VALUE_ESCAPE;
      } else if (mode === IN_KEY) {
        let byte = 0;
        while (index < length && (byte = bytes[index++]!) !== 0x22 && byte !== 0x5c) {
          a = Math.imul(a ^ byte, PRIME_A);
          b = Math.imul(b ^ byte, PRIME_B);
        }
        if (byte === 0x5c) mode = KEY_ESCAPE;
        else if (byte === 0x22) {
          mode = OUTSIDE;
          expectsKey = false;
          // Usually a colon follows, which says no more.
          if (bytes[index] === 0x3a) index++;
          const fault = this.#endKey(a, b);
          if (fault !== undefined) return fault;
        }
      } else if (mode === VALUE_ESCAPE) {
        index++;
        mode = IN_VALUE;
      } else {
        this.#hashA = a;
        this.#hashB = b;
        mode = this.#readKeyEscape(mode, bytes[index++]!);
        // The second half of a pair would begin with another backslash.
        if (mode === IN_KEY && this.#high !== 0 && index < length && bytes[index] !== 0x5c)
          this.#addLoneSurrogate();
        a = this.#hashA;
        b = this.#hashB;
      }
    }
    this.#hashA = a;
    this.#hashB = b;
    this.#mode = mode;
    this.#expectsKey = expectsKey;
    return undefined;
  }

  #close(): void {
    const start = this.#starts[this.#depth]!;
    if (start >= 0) {
      if (this.#open - start > FEW_KEYS) this.#many!.delete(this.#depth);
      this.#open = start;
    }
    this.#depth--;
  }

  /** Reads the next byte of an escape in a key. @returns the next mode */
  #readKeyEscape(mode: number, byte: number): number {
    if (mode === KEY_ESCAPE) {
      if (byte !== 0x75) this.#addUnit(ESCAPED[byte] ?? byte);
      else this.#unit = this.#digits = 0;
      return byte === 0x75 ? KEY_UNICODE : IN_KEY;
    }
    this.#unit = this.#unit * 16 + hexDigit(byte);
    if (++this.#digits < 4) return KEY_UNICODE;
    this.#addUnit(this.#unit);
    return IN_KEY;
  }

  #endKey(a: number, b: number): JsonFault | undefined {
    if (this.allowsDuplicates) return ++this.#keys > this.maxKeys ? 'keys' : undefined;
    const key = (a >>> 0) * 0x20_0000 + (b >>> 11);
    const start = this.#starts[this.#depth]!;
    const hashes = this.#hashes;
    const count = this.#open - start;
    if (count < FEW_KEYS) {
      const seen = this.#seen[this.#depth]!;
      const bit = 1 << (a & 31);
      if ((seen & bit) !== 0) {
        for (let index = start; index < this.#open; index++) if (hashes[index] === key) return 'duplicate';
      }
      this.#seen[this.#depth] = seen | bit;
    } else {
      const all = (this.#many ??= new Map());
      let many = all.get(this.#depth);
      if (count === FEW_KEYS) all.set(this.#depth, (many = new Set(hashes.slice(start, this.#open))));
      if (many!.has(key)) return 'duplicate';
      many!.add(key);
    }
    hashes[this.#open++] = key;
    return ++this.#keys > this.maxKeys ? 'keys' : undefined;
  }

  /** Adds an escaped UTF-16 code unit as its UTF-8 bytes. */
  #addUnit(unit: number): void {
    if (this.#high !== 0 && unit >= 0xdc00 && unit <= 0xdfff) {
      const point = (this.#high - 0xd800) * 0x400 + (unit - 0xdc00) + 0x1_0000;
      this.#high = 0;
      this.#addPoint(point);
      return;
    }
    if (this.#high !== 0) this.#addLoneSurrogate();
    if (unit >= 0xd800 && unit <= 0xdbff) this.#high = unit;
    else this.#addPoint(unit);
  }

  /** A high surrogate without its low surrogate counts as a character. */
  #addLoneSurrogate(): void {
    const unit = this.#high;
    this.#high = 0;
    this.#addPoint(unit);
  }

  #addPoint(point: number): void {
    if (point < 0x80) this.#addByte(point);
    else {
      if (point < 0x800) this.#addByte(0xc0 | (point >> 6));
      else {
        if (point < 0x1_0000) this.#addByte(0xe0 | (point >> 12));
        else {
          this.#addByte(0xf0 | (point >> 18));
          this.#addByte(0x80 | ((point >> 12) & 0x3f));
        }
        this.#addByte(0x80 | ((point >> 6) & 0x3f));
      }
      this.#addByte(0x80 | (point & 0x3f));
    }
  }

  #addByte(byte: number): void {
    this.#hashA = Math.imul(this.#hashA ^ byte, PRIME_A);
    this.#hashB = Math.imul(this.#hashB ^ byte, PRIME_B);
  }
}

/** A character that is no digit makes the JSON invalid, so its value does not matter. */
function hexDigit(byte: number): number {
  if (byte <= 0x39) return byte - 0x30;
  return (byte | 0x20) - 0x57;
}

/** Scans JSON that is there as a whole, with one scanner for all of it: the memory of one that serves a single body costs more than its scan. */
export function scanJson(
  bytes: Uint8Array,
  maxDepth: number,
  maxKeys: number,
  allowsDuplicates = false,
): JsonFault | undefined {
  SHARED.restart(maxDepth, maxKeys, allowsDuplicates);
  return SHARED.scan(bytes);
}

const SHARED = new JsonScanner(0, 0);
