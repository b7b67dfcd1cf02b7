/* A tool list without the tools that its reader may not call: in a JSON answer, and in the events of a stream. */
import { isRecord } from '../common/read-options.js';

export type IsVisible = (tool: string) => boolean;

/** @returns the text as it came where there is nothing to take out, or where it holds no tool list */
export function filterToolList(text: string, isVisible: IsVisible): string {
  if (!text.includes('tools')) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  const messages = Array.isArray(value) ? value : [value];
  let found = false;
  for (const message of messages) {
    const result = isRecord(message) ? message['result'] : undefined;
    if (!isRecord(result) || !Array.isArray(result['tools'])) continue;
    found = true;
    result['tools'] = result['tools'].filter(tool => isRecord(tool) && isVisible(String(tool['name'])));
    // What is one agent's list must not be kept for another (SEP-2549).
    if (result['cacheScope'] === 'public') result['cacheScope'] = 'private';
  }
  return found ? JSON.stringify(value) : text;
}

/** Server-sent events (HTML, "Server-sent events"), filtered one by one as they pass. */
export class ToolListEvents {
  #rest = '';
  /** Up to where no event ends, so that a long one is searched once. */
  #searched = 0;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(
    private readonly isVisible: IsVisible,
    private readonly maxLength: number,
  ) {}

  /** @returns what may go on now; `undefined` where an event is longer than can be looked into */
  push(chunk: Uint8Array): string | undefined {
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    let passed = '';
    for (let end = this.#endOfEvent(); end !== -1; end = this.#endOfEvent()) {
      passed += this.#filter(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end);
      this.#searched = 0;
    }
    return this.#rest.length > this.maxLength ? undefined : passed;
  }

  /** What is left at the end: an event that was not finished is none, and no reader takes it for one. */
  end(): string {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return rest.includes('tools') ? '' : rest;
  }

  /** The index behind the blank line that ends the first event, or -1. */
  #endOfEvent(): number {
    const blank = /\r\n\r\n|\n\n|\r\r/g;
    blank.lastIndex = this.#searched;
    const match = blank.exec(this.#rest);
    this.#searched = Math.max(0, this.#rest.length - 3);
    return match === null ? -1 : match.index + match[0].length;
  }

  #filter(event: string): string {
    const lines = event.split(/\r\n|\n|\r/);
    const data = lines.flatMap(line => (line.startsWith('data:') ? [line.slice(5).replace(/^ /, '')] : []));
    if (data.length === 0) return event;
    const text = data.join('\n');
    const filtered = filterToolList(text, this.isVisible);
    if (filtered === text) return event;
    const others = lines.filter(line => line !== '' && !line.startsWith('data:'));
    return [...others, `data: ${filtered}`, '', ''].join('\n');
  }
}
