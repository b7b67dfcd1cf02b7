/* A tool list without the tools that its reader may not call: in a JSON answer, and in the events of a stream. */
import { isRecord } from '../common/read-options.js';
import { dataOf, EventReader, isDataLine, linesOf } from './event-reader.js';

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

/** The events of a stream, filtered one by one as they pass. */
export class ToolListEvents {
  readonly #events = new EventReader();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(
    private readonly isVisible: IsVisible,
    private readonly maxLength: number,
  ) {}

  /** @returns what may go on now; `undefined` where an event is longer than can be looked into */
  push(chunk: Uint8Array): string | undefined {
    const events = this.#events.read(this.#decoder.decode(chunk, { stream: true }));
    const passed = events.map(event => this.#filter(event)).join('');
    return this.#events.rest.length > this.maxLength ? undefined : passed;
  }

  /** What is left at the end: an event that was not finished is none, and no reader takes it for one. */
  end(): string {
    const rest = this.#events.rest + this.#decoder.decode();
    this.#events.rest = '';
    return rest.includes('tools') ? '' : rest;
  }

  #filter(event: string): string {
    const data = dataOf(event);
    if (data === undefined) return event;
    const filtered = filterToolList(data, this.isVisible);
    if (filtered === data) return event;
    const others = linesOf(event).filter(line => line !== '' && !isDataLine(line));
    return [...others, `data: ${filtered}`, '', ''].join('\n');
  }
}
