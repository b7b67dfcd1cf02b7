/* What became of calls, read from the answer as it passes: in MCP a call that fails is answered with 200 like any other. */
import { isRecord } from '../common/read-options.js';
import type { MessageId } from './read-messages.js';

/** Longer answers are not looked into, and count by their status. */
const MAX_LENGTH = 256 * 1024;

export class CallOutcomes {
  readonly #failed = new Set<MessageId>();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #text = '';
  #isLost = false;

  push(chunk: Uint8Array, isStream: boolean): void {
    if (this.#isLost) return;
    this.#text += this.#decoder.decode(chunk, { stream: true });
    if (isStream) this.#readEvents();
    if (this.#text.length <= MAX_LENGTH) return;
    this.#isLost = true;
    this.#text = '';
  }

  end(isStream: boolean): void {
    if (!isStream) this.#readMessages(this.#text);
    this.#text = '';
  }

  /** Whether a call was answered with an error, or with a result that says that it is one. */
  hasFailed(id: MessageId | undefined): boolean {
    return id !== undefined && this.#failed.has(id);
  }

  #readEvents(): void {
    const events = this.#text.split(/\r\n\r\n|\n\n|\r\r/);
    this.#text = events.pop()!;
    for (const event of events) {
      const data = event
        .split(/\r\n|\n|\r/)
        .flatMap(line => (line.startsWith('data:') ? [line.slice(5)] : []));
      if (data.length > 0) this.#readMessages(data.join('\n'));
    }
  }

  #readMessages(text: string): void {
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
