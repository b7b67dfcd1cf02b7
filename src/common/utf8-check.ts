/* Checks that bytes which arrive in chunks are UTF-8. Decoders replace invalid bytes with U+FFFD, so that different
 * bytes become the same text. */
import { isUtf8 } from 'node:buffer';

export class Utf8Check {
  /** The first bytes of an incomplete character: up to three. */
  #open: readonly number[] = [];

  /** Checks the next bytes. A character that is incomplete at the end of the last chunk is not reported. */
  accepts(bytes: Uint8Array): boolean {
    let start = 0;
    if (this.#open.length > 0) {
      const missing = lengthOf(this.#open[0]!) - this.#open.length;
      start = Math.min(missing, bytes.length);
      const character = [...this.#open, ...bytes.subarray(0, start)];
      if (start < missing) return this.#keepOpen(character);
      if (!isUtf8(Uint8Array.from(character))) return false;
      this.#open = [];
    }
    const end = Math.max(start, startOfOpen(bytes));
    return isUtf8(bytes.subarray(start, end)) && this.#keepOpen([...bytes.subarray(end)]);
  }

  /** Keeps an incomplete character. @returns whether more bytes can complete it */
  #keepOpen(bytes: readonly number[]): boolean {
    this.#open = bytes;
    return bytes.slice(1).every(byte => (byte & 0xc0) === 0x80);
  }
}

/** The index of an incomplete character at the end; the length of the bytes if there is none. */
function startOfOpen(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    return lengthOf(byte) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** The number of bytes of a character, by its first byte. */
function lengthOf(byte: number): number {
  if (byte >= 0xf0) return 4;
  if (byte >= 0xe0) return 3;
  return byte >= 0xc0 ? 2 : 1;
}
