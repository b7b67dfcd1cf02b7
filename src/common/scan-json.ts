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
const FEW_KEYS = 32;

/** Beyond this length, `indexOf` finds the end of a string faster than a loop. */
const SHORT_TEXT = 24;

const OUTSIDE = 0;
const IN_VALUE = 1;
const VALUE_ESCAPE = 2;
const IN_KEY = 3;
const KEY_ESCAPE = 4;
/** Within the four digits of `\u`. */
const KEY_UNICODE = 5;

const ESCAPED: Readonly<Record<number, number>> = { 0x62: 8, 0x66: 12, 0x6e: 10, 0x72: 13, 0x74: 9 };

export class JsonScanner {
  #mode = OUTSIDE;
  #expectsKey = false;
  #depth = 0;
  /** For each open bracket: the index in `#hashes` of the object's first key; -1 for an array. */
  readonly #starts: number[] = [-1];
  /** The hashes of the keys of all open objects. */
  readonly #hashes: number[] = [];
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
    private readonly maxDepth: number,
    private readonly maxKeys: number,
    private readonly allowsDuplicates = false,
  ) {}

  /** Scans the next bytes. @returns the first fault, as soon as it is certain */
  scan(bytes: Uint8Array): JsonFault | undefined {
    if ((this.#utf8 !== undefined || !isUtf8(bytes)) && !(this.#utf8 ??= new Utf8Check()).accepts(bytes))
      return 'utf8';
    const { length } = bytes;
    let mode = this.#mode;
    let index = 0;
    /** The index of the next backslash, once it was searched. */
    let escape = -1;
    while (index < length) {
      if (mode === IN_VALUE) {
        const near = Math.min(index + SHORT_TEXT, length);
        let byte = 0;
        while (index < near && (byte = bytes[index++]!) !== 0x22 && byte !== 0x5c);
        if (byte !== 0x22 && byte !== 0x5c && index < length) {
          if (escape < index) escape = indexOrEnd(bytes, 0x5c, index);
          index = Math.min(indexOrEnd(bytes, 0x22, index), escape);
          if (index < length) byte = bytes[index++]!;
        }
        if (byte === 0x22) mode = OUTSIDE;
        else if (byte === 0x5c) mode = VALUE_ESCAPE;
        continue;
      }
      if (mode === IN_KEY) {
        if (this.#high !== 0 && bytes[index] !== 0x5c) this.#addLoneSurrogate();
        let a = this.#hashA;
        let b = this.#hashB;
        let byte = 0;
        while (index < length && (byte = bytes[index++]!) !== 0x22 && byte !== 0x5c) {
          a = Math.imul(a ^ byte, PRIME_A);
          b = Math.imul(b ^ byte, PRIME_B);
        }
        this.#hashA = a;
        this.#hashB = b;
        if (byte === 0x5c) mode = KEY_ESCAPE;
        else if (byte === 0x22) {
          mode = OUTSIDE;
          const fault = this.#endKey();
          if (fault !== undefined) return fault;
        }
        continue;
      }
      const byte = bytes[index++]!;
      if (mode === OUTSIDE) {
        if (byte === 0x22) {
          if (this.#expectsKey) {
            mode = IN_KEY;
            this.#hashA = SEED_A;
            this.#hashB = SEED_B;
          } else mode = IN_VALUE;
        } else if (byte === 0x2c) this.#expectsKey = this.#starts[this.#depth]! >= 0;
        else if (byte === 0x3a) this.#expectsKey = false;
        // Digits, signs and white space.
        else if (byte < 0x5b) continue;
        else if (byte === 0x7b || byte === 0x5b) {
          if (++this.#containers > MAX_CONTAINERS) return 'containers';
          if (++this.#depth > this.maxDepth) return 'depth';
          this.#expectsKey = byte === 0x7b;
          this.#starts[this.#depth] = this.#expectsKey ? this.#open : -1;
        } else if (byte === 0x7d || byte === 0x5d) this.#close();
      } else if (mode === VALUE_ESCAPE) mode = IN_VALUE;
      else if (mode === KEY_ESCAPE) {
        mode = IN_KEY;
        if (byte === 0x75) {
          mode = KEY_UNICODE;
          this.#unit = this.#digits = 0;
        } else this.#addUnit(ESCAPED[byte] ?? byte);
      } else {
        this.#unit = this.#unit * 16 + hexDigit(byte);
        if (++this.#digits === 4) {
          mode = IN_KEY;
          this.#addUnit(this.#unit);
        }
      }
    }
    this.#mode = mode;
    return undefined;
  }

  #close(): void {
    if (this.#depth === 0) return;
    const start = this.#starts[this.#depth]!;
    if (start >= 0) {
      if (this.#open - start > FEW_KEYS) this.#many!.delete(this.#depth);
      this.#open = start;
    }
    this.#depth--;
    this.#expectsKey = false;
  }

  #endKey(): JsonFault | undefined {
    this.#expectsKey = false;
    if (this.allowsDuplicates) return ++this.#keys > this.maxKeys ? 'keys' : undefined;
    const key = (this.#hashA >>> 0) * 0x20_0000 + (this.#hashB >>> 11);
    const start = this.#starts[this.#depth]!;
    const hashes = this.#hashes;
    const count = this.#open - start;
    if (count < FEW_KEYS) {
      for (let index = start; index < this.#open; index++) if (hashes[index] === key) return 'duplicate';
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

function indexOrEnd(bytes: Uint8Array, byte: number, from: number): number {
  const index = bytes.indexOf(byte, from);
  return index === -1 ? bytes.length : index;
}

/** A character that is no digit makes the JSON invalid, so its value does not matter. */
function hexDigit(byte: number): number {
  if (byte <= 0x39) return byte - 0x30;
  return (byte | 0x20) - 0x57;
}

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
  const fault = new JsonScanner(maxDepth, maxKeys).scan(bytes);
  if (fault !== undefined) return { valid: false, reason: REASONS[fault] };
  try {
    return { valid: true, value: JSON.parse(UTF8.decode(bytes)) };
  } catch {
    return { valid: false, reason: 'syntax' };
  }
}
