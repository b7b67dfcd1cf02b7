import type { IncomingMessage, ServerResponse } from 'node:http';

/** Answers with JSON, as OAuth's endpoints do: their errors are no problem documents (RFC 6749 section 5.2). */
export function sendJson(
  raw: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Readonly<Record<string, unknown>>,
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    ...headers,
    ...(hasUnreadBody(raw) ? { Connection: 'close' } : {}),
  });
  response.end(raw.method === 'HEAD' ? undefined : text);
}

/** On a connection that is kept alive, the rest of the body would have to be read to its end. */
function hasUnreadBody(raw: IncomingMessage): boolean {
  return raw.httpVersionMajor === 1 && !raw.complete && !raw.readableEnded;
}
