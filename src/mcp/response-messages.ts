/* Reads the JSON-RPC messages of a response while it is written: as one JSON text, or as server-sent events (HTML, "Server-sent events").
 * Tool lists lose the tools that the client may not call, and answers to calls say whether the call failed. */
import { isRecord } from '../common/read-options.js';
import type { MessageId } from './read-messages.js';

export type IsVisible = (tool: string) => boolean;

/** @returns the text unchanged where it holds no tool list */
export function filterToolList(text: string, isVisible: IsVisible): string {
  if (!text.includes('tools')) return text;
  const value = parse(text);
  let found = false;
  for (const { result } of messagesIn(value)) {
    if (!isRecord(result) || !Array.isArray(result['tools'])) continue;
    found = true;
    result['tools'] = result['tools'].filter(tool => isRecord(tool) && isVisible(String(tool['name'])));
    // What is one agent's list must not be kept for another (SEP-2549).
    if (result['cacheScope'] === 'public') result['cacheScope'] = 'private';
  }
  return found ? JSON.stringify(value) : text;
}

/** A response that is one JSON text, filtered once it is whole. */
export class ToolListText {
  readonly #parts: Buffer[] = [];
  #length = 0;

  constructor(
    private readonly isVisible: IsVisible,
    private readonly maxLength: number,
  ) {}

  /** @returns `''`, since nothing can be sent yet; `undefined` where the text is too long */
  push(chunk: Buffer): string | undefined {
    this.#parts.push(chunk);
    this.#length += chunk.length;
    return this.#length > this.maxLength ? undefined : '';
  }

  end(): Buffer {
    const whole = Buffer.concat(this.#parts);
    const text = whole.toString('utf8');
    const filtered = filterToolList(text, this.isVisible);
    return filtered === text ? whole : Buffer.from(filtered);
  }
}

/** The events of a stream, filtered one by one as they pass. */
export class ToolListEvents {
  readonly #events = new EventReader();

  constructor(
    private readonly isVisible: IsVisible,
    private readonly maxLength: number,
  ) {}

  /** @returns what can be sent now; `undefined` where an event is too long to be inspected */
  push(chunk: Uint8Array): string | undefined {
    const passed = this.#events.read(chunk).map(event => this.#filter(event));
    return this.#events.rest.length > this.maxLength ? undefined : passed.join('');
  }

  /** The rest at the end: an unfinished event, which no client reads as one. */
  end(): string {
    const rest = this.#events.end();
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

/** A result that says that it is an error: the `error.type` of the semantic conventions for MCP. */
export const TOOL_ERROR = 'tool_error';

/** In longer responses, the outcome of a call is that of the status. */
const MAX_LENGTH = 256 * 1024;

/** Reads the outcomes of calls: in MCP, a call that fails has status 200. */
export class CallOutcomes {
  /** By the ID of the call: the code of the error, or `TOOL_ERROR`. */
  readonly #failed = new Map<MessageId, unknown>();
  /** A response that is no stream is one event that does not end. */
  readonly #events = new EventReader();
  #isLost = false;

  push(chunk: Uint8Array, isStream: boolean): void {
    if (this.#isLost) return;
    if (isStream) for (const event of this.#events.read(chunk)) this.#readMessages(dataOf(event));
    else this.#events.append(chunk);
    this.#isLost = this.#events.rest.length > MAX_LENGTH;
    if (this.#isLost) this.#events.end();
  }

  end(isStream: boolean): void {
    const text = this.#events.end();
    if (!isStream) this.#readMessages(text);
  }

  /** Whether a call was answered with an error, or with a result that says that it is one. */
  hasFailed(id: MessageId | undefined): boolean {
    return id !== undefined && this.#failed.has(id);
  }

  /** The code of the error, or `TOOL_ERROR`; `undefined` for a call that has not failed. */
  errorOf(id: MessageId | undefined): unknown {
    return id === undefined ? undefined : this.#failed.get(id);
  }

  #readMessages(text = ''): void {
    for (const { id, error, result } of messagesIn(parse(text))) {
      const isError = error !== undefined || (isRecord(result) && result['isError'] === true);
      if (isError && (typeof id === 'string' || typeof id === 'number'))
        this.#failed.set(id, isRecord(error) ? error['code'] : TOOL_ERROR);
    }
  }
}

/** The messages of a whole response. */
export function messagesOf(text: string, isStream: boolean): readonly Record<string, unknown>[] {
  if (!isStream) return messagesIn(parse(text));
  return new EventReader().read(Buffer.from(text)).flatMap(event => messagesIn(parse(dataOf(event) ?? '')));
}

class EventReader {
  /** The beginning of an event that has not ended. */
  rest = '';
  /** Up to where no event ends, so that a long one is searched once. */
  #searched = 0;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  append(chunk: Uint8Array): void {
    this.rest += this.#decoder.decode(chunk, { stream: true });
  }

  /** Takes more of the stream. @returns the events that are whole now, each with its blank line */
  read(chunk: Uint8Array): readonly string[] {
    this.append(chunk);
    const events: string[] = [];
    for (let end = this.#endOfEvent(); end !== -1; end = this.#endOfEvent()) {
      events.push(this.rest.slice(0, end));
      this.rest = this.rest.slice(end);
      this.#searched = 0;
    }
    return events;
  }

  /** Takes the rest. */
  end(): string {
    const rest = this.rest + this.#decoder.decode();
    this.rest = '';
    return rest;
  }

  /** The index behind the blank line that ends the first event, or -1. */
  #endOfEvent(): number {
    const blank = /\r\n\r\n|\n\n|\r\r/g;
    blank.lastIndex = this.#searched;
    const match = blank.exec(this.rest);
    this.#searched = Math.max(0, this.rest.length - 3);
    return match === null ? -1 : match.index + match[0].length;
  }
}

const linesOf = (event: string): readonly string[] => event.split(/\r\n|\n|\r/);

const isDataLine = (line: string): boolean => line.startsWith('data:');

/** What the event says; `undefined` for one without data. */
function dataOf(event: string): string | undefined {
  const lines = linesOf(event).filter(isDataLine);
  return lines.length === 0 ? undefined : lines.map(line => line.slice(5).replace(/^ /, '')).join('\n');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const messagesIn = (value: unknown): readonly Record<string, unknown>[] =>
  (Array.isArray(value) ? (value as unknown[]) : [value]).filter(isRecord);
