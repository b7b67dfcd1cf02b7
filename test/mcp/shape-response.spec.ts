import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, createServer, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { shapeResponse } from '../../src/mcp/shape-response.js';

const list = (...names: string[]): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: names.map(name => ({ name })) } });

/** What a client gets over HTTP/2, where `end()` calls `write()`. */
async function receive(answer: (response: Http2ServerResponse) => void): Promise<string> {
  const server = createServer((_request, response) => {
    shapeResponse(response as unknown as ServerResponse, {
      isVisible: tool => tool.startsWith('read_'),
      outcomes: undefined,
      signSession: undefined,
      maxBytes: 1_000,
      onUnreadable: () => undefined,
    });
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    return await text(client.request({ ':path': '/mcp' }));
  } finally {
    client.close();
    server.close();
  }
}

it.each<[string, (response: Http2ServerResponse) => void, string]>([
  [
    'a JSON text',
    response => response.writeHead(200, { 'content-type': 'application/json' }).end(list('read_a', 'drop')),
    list('read_a'),
  ],
  [
    'a stream',
    response => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${list('drop')}\n\n`);
      response.end(`data: ${list('read_a', 'drop')}\n\n`);
    },
    `data: ${list()}\n\ndata: ${list('read_a')}\n\n`,
  ],
])('filters %s over HTTP/2', async (_title, answer, expected) => {
  expect(await receive(answer)).toBe(expected);
});
