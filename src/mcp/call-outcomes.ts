/* Reads the outcomes of calls from the response while it is written: in MCP, a call that fails has status 200. */
import { isRecord } from '../common/read-options.js';
import { dataOf, EventReader } from './event-reader.js';
import type { MessageId } from './read-messages.js';

/** In longer responses, the outcome of a call is that of the status. */
const MAX_LENGTH = 256 * 1024;

export class CallOutcomes {
  readonly #failed = new Set<MessageId>();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #events = new EventReader();
  /** Of an answer that is no stream. */
  #text = '';
  #isLost = false;

  push(chunk: Uint8Array, isStream: boolean): void {
    if (this.#isLost) return;
    const text = this.#decoder.decode(chunk, { stream: true });
    if (isStream) for (const event of this.#events.read(text)) this.#readMessages(dataOf(event));
    else this.#text += text;
    if (this.#text.length + this.#events.rest.length <= MAX_LENGTH) return;
    this.#isLost = true;
    this.#text = this.#events.rest = '';
  }

  end(isStream: boolean): void {
    if (!isStream) this.#readMessages(this.#text);
    this.#text = this.#events.rest = '';
  }

  /** Whether a call was answered with an error, or with a result that says that it is one. */
  hasFailed(id: MessageId | undefined): boolean {
    return id !== undefined && this.#failed.has(id);
  }

  #readMessages(text: string | undefined): void {
    if (text === undefined) return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    for (const message of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (!isRecord(message)) continue;
      const { id, error, result } = message;
      const isError = error !== undefined || (isRecord(result) && result['isError'] === true);
      if (isError && (typeof id === 'string' || typeof id === 'number')) this.#failed.add(id);
    }
  }
}
