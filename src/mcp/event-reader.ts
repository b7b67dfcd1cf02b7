/* Server-sent events (HTML, "Server-sent events") as their text comes. */

export class EventReader {
  /** The beginning of an event that has not ended. */
  rest = '';
  /** Up to where no event ends, so that a long one is searched once. */
  #searched = 0;

  /** Takes more of the text. @returns the events that are whole now, each with its blank line */
  read(text: string): readonly string[] {
    this.rest += text;
    const events: string[] = [];
    for (let end = this.#endOfEvent(); end !== -1; end = this.#endOfEvent()) {
      events.push(this.rest.slice(0, end));
      this.rest = this.rest.slice(end);
      this.#searched = 0;
    }
    return events;
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

export const linesOf = (event: string): readonly string[] => event.split(/\r\n|\n|\r/);

export const isDataLine = (line: string): boolean => line.startsWith('data:');

/** What the event says; `undefined` for one without data. */
export function dataOf(event: string): string | undefined {
  const lines = linesOf(event).filter(isDataLine);
  return lines.length === 0 ? undefined : lines.map(line => line.slice(5).replace(/^ /, '')).join('\n');
}
