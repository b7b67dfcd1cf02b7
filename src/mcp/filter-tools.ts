/* Removes the tools that the client may not call from a tool list: in a JSON response, and in the events of a stream. */
import { isRecord } from '../common/read-options.js';
import { dataOf, EventReader, isDataLine, linesOf } from './event-reader.js';

export type IsVisible = (tool: string) => boolean;

/** @returns the text unchanged where it holds no tool list */
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

  /** @returns what can be sent now; `undefined` where an event is too long to be inspected */
  push(chunk: Uint8Array): string | undefined {
    const events = this.#events.read(this.#decoder.decode(chunk, { stream: true }));
    const passed = events.map(event => this.#filter(event)).join('');
    return this.#events.rest.length > this.maxLength ? undefined : passed;
  }

  /** The rest at the end: an unfinished event, which no client reads as one. */
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
