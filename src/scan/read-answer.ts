/* Reads an HTTP/1.1 response from bytes that nobody vouches for. */
import { type Answer, type AnswerFault, noAnswer } from './answer.js';
import { ChunkReader } from './read-chunks.js';

/** Longer heads are no answer. */
const MAX_HEAD_BYTES = 32_768;
const MAX_LINES = 200;
/** Responses with 1xx before the response. */
const MAX_INTERIM = 10;

/** Collects the bytes of one response. Each part is read once, so that many small parts cost no more than a large one. */
export class AnswerReader {
  #text = '';
  #head: Omit<Answer, 'body'> | undefined;
  #fault: AnswerFault | undefined;
  /** How many characters of body follow the head; infinite until the connection closes. */
  #expected = Infinity;
  #chunks: ChunkReader | undefined;

  /** @param maxBytes of head and body together; @param hasBody `false` after HEAD */
  constructor(
    readonly maxBytes: number,
    readonly hasBody = true,
  ) {}

  /** @returns whether the response is whole, or will never be */
  add(part: Buffer): boolean {
    this.#text += part.toString('latin1', 0, this.maxBytes - this.#text.length + 1);
    if (this.#head === undefined && !this.#readHead()) return this.#fault !== undefined;
    if (this.#text.length > this.maxBytes) this.#fault = 'too large';
    this.#chunks?.read(this.#text);
    if (this.#chunks?.state === 'broken') this.#fault ??= 'not HTTP';
    return (
      this.#fault !== undefined || this.#text.length >= this.#expected || this.#chunks?.state === 'whole'
    );
  }

  /** @param fault why no more came */
  end(fault: AnswerFault): Answer {
    if (this.#head === undefined) return noAnswer(this.#fault ?? fault);
    const chunks = this.#chunks;
    const isWhole = chunks === undefined ? this.#text.length >= this.#expected : chunks.state === 'whole';
    const isClosed = fault === 'closed' && this.#expected === Infinity && chunks === undefined;
    const cut = this.#fault ?? (isWhole || isClosed ? undefined : fault);
    const body = chunks === undefined ? this.#text : chunks.bodyOf(this.#text);
    return { ...this.#head, body, ...(cut === undefined ? {} : { fault: cut }) };
  }

  #readHead(): boolean {
    // What 100 and 103 announce is still to come.
    for (let interim = 0; interim <= MAX_INTERIM; interim++) {
      const end = this.#text.indexOf('\r\n\r\n');
      if (end < 0 ? this.#text.length > MAX_HEAD_BYTES : end > MAX_HEAD_BYTES) this.#fault = 'too large';
      // Whatever does not begin like HTTP never will.
      else if (!'HTTP/1.'.startsWith(this.#text.slice(0, 7))) this.#fault = 'not HTTP';
      if (end < 0 || this.#fault !== undefined) return false;
      const head = parseHead(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 4);
      if (head === undefined) break;
      if (head.status >= 200 || head.status === 101) {
        this.#head = head;
        this.#measure(head);
        return true;
      }
    }
    this.#fault = 'not HTTP';
    return false;
  }

  #measure({ status, headers }: Omit<Answer, 'body'>): void {
    const find = (name: string): string => headers.find(([line]) => line === name)?.[1] ?? '';
    const length = find('content-length');
    const isStream = /^text\/event-stream/i.test(find('content-type'));
    if (!this.hasBody || isStream || status === 101 || status === 204 || status === 304) this.#expected = 0;
    else if (/chunked$/i.test(find('transfer-encoding'))) this.#chunks = new ChunkReader();
    else if (/^\d{1,15}$/.test(length)) this.#expected = Number(length);
  }
}

function parseHead(text: string): Omit<Answer, 'body'> | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(first)?.[1];
  if (status === undefined || lines.length > MAX_LINES) return undefined;
  const headers: (readonly [string, string])[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) return undefined;
    headers.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return { status: Number(status), headers };
}
