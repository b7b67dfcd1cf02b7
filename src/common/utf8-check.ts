/* Whether bytes that come in pieces are UTF-8 together. Decoders replace what is not with U+FFFD, so that different bytes become one text. */
import { isUtf8 } from 'node:buffer';

export class Utf8Check {
  /** The beginning of a character whose end has not come: up to three bytes. */
  #open: readonly number[] = [];

  /** Takes the next bytes. A character that is still open at the end of all of them is not reported. */
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

  /** What cannot be continued is no beginning: the rest of it would be looked for in vain. */
  #keepOpen(bytes: readonly number[]): boolean {
    this.#open = bytes;
    return bytes.slice(1).every(byte => (byte & 0xc0) === 0x80);
  }
}

/** Where a character begins that the end of the bytes cuts; their length if there is none. */
function startOfOpen(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    return lengthOf(byte) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** How many bytes a character has, by its first. */
function lengthOf(byte: number): number {
  if (byte >= 0xf0) return 4;
  if (byte >= 0xe0) return 3;
  return byte >= 0xc0 ? 2 : 1;
}
