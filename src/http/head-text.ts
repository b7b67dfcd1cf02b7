/* Appends lines to the head of a response. Between `writeHead` and the first bytes of the body, Node keeps the head as
 * text in an undocumented member. It is tested once at start-up; if it does not work, headers are set one by one. */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';

type ResponseWithHead = ServerResponse & { _header: string };

/** The empty line that ends a head. */
const END = '\r\n';

/** Characters that Node forbids in a header value: they could end the line and begin another. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

export const isHeaderValue = (value: string): boolean => !FORBIDDEN.test(value);

/** Appends header lines to a response whose head is written and not yet sent. */
export function appendToHead(response: ServerResponse, lines: string): void {
  const { _header: head } = response as ResponseWithHead;
  (response as ResponseWithHead)._header = head.slice(0, -END.length) + lines + END;
}

export const CAN_APPEND_TO_HEAD: boolean = testAppend();

function testAppend(): boolean {
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
