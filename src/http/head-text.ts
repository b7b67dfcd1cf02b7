/* The head of a response as text. Node keeps it so between `writeHead` and the first bytes of the body, under a name that it does not
 * document. Whether it still does is tried once, at start-up; where it does not, nobody depends on it. */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';

type ResponseWithHead = ServerResponse & { _header: string };

/** The empty line that ends a head. */
const END = '\r\n';

/** What Node allows in the value of a header: anything else could end its line, and begin another one. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

export const isHeaderValue = (value: string): boolean => !FORBIDDEN.test(value);

/** Adds lines, which must be those of a head, to a response whose head is written and not yet sent. */
export function appendToHead(response: ServerResponse, lines: string): void {
  const { _header: head } = response as ResponseWithHead;
  (response as ResponseWithHead)._header = head.slice(0, -END.length) + lines + END;
}

export const CAN_APPEND_TO_HEAD: boolean = tryToAppend();

function tryToAppend(): boolean {
  const wire = new PassThrough();
  const request = new IncomingMessage(wire as unknown as Socket);
  Object.assign(request, { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 });
  try {
    const response = new ServerResponse(request);
    response.assignSocket(wire as unknown as Socket);
    response.writeHead(200, { First: '1', 'Content-Length': '2' });
    appendToHead(response, 'Second: 2\r\nThird: 3\r\n');
    response.end('ok');
    const sent = String(wire.read());
    return /^HTTP\/1\.1 200 OK\r\nFirst: 1\r\n(?:[\w-]+: .+\r\n)+Second: 2\r\nThird: 3\r\n\r\nok$/.test(sent);
  } catch {
    return false;
  } finally {
    wire.destroy();
  }
}
