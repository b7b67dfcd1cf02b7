/* Reads a chunked body (RFC 9112, section 7.1) while it comes: no chunk is read twice. */

/** Of the line with the size of a chunk, and of a trailer. */
const MAX_LINE = 1_000;
const SIZE = /^[\da-f]{1,8}(?=[;\s]|$)/i;

export class ChunkReader {
  #parts: string[] = [];
  #at = 0;
  #isTrailer = false;
  /** `whole` behind the last chunk and its trailers, `broken` where no chunk can follow. */
  state: 'open' | 'whole' | 'broken' = 'open';

  /** @param text the body as far as it came */
  read(text: string): void {
    while (this.state === 'open') {
      const end = text.indexOf('\r\n', this.#at);
      if (end < 0 && text.length - this.#at > MAX_LINE) this.state = 'broken';
      if (end < 0) return;
      const line = text.slice(this.#at, end);
      let next = end + 2;
      if (this.#isTrailer) {
        if (line === '') this.state = 'whole';
      } else {
        const size = Number.parseInt(SIZE.exec(line)?.[0] ?? '', 16);
        if (size > 0) {
          next += size + 2;
          if (text.length < next) return;
          this.#parts.push(text.slice(end + 2, next - 2));
        } else if (size === 0) this.#isTrailer = true;
        else this.state = 'broken';
      }
      this.#at = next;
    }
  }

  /** Of what was read, and of a chunk that is cut. */
  bodyOf(text: string): string {
    const end = text.indexOf('\r\n', this.#at);
    const isCut = this.state === 'open' && !this.#isTrailer && end >= 0;
    return this.#parts.join('') + (isCut ? text.slice(end + 2) : '');
  }
}
