/* A client, or a proxy, that reads the response only after it has sent its whole body. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Controller, Post } from '@nestjs/common';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

let handled = 0;

@Controller()
class Routes {
  @Post()
  post(): object {
    handled++;
    return {};
  }
}

/** Sends a request and what follows it, and reads only then. @returns everything that came */
async function sendThenRead(port: number, head: string, body: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1').pause();
  await once(socket, 'connect');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.write(head);
    socket.write(body, error => (error ? reject(error) : resolve()));
  });
  let text = '';
  socket.setEncoding('utf8').on('data', part => void (text += part));
  await once(socket.resume(), 'end');
  return text;
}

const BODY = Buffer.alloc(6_000_000, 'a');
const lines = (host: string, length: number): string =>
  `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  beforeEach(() => void (handled = 0));

  it.each<[title: string, host: string, status: number, code: string]>([
    ['the length of its body', 'localhost', 413, 'body_too_large'],
    ['its host', 'evil.example', 421, 'host_not_allowed'],
  ])('a request that is rejected for %s gets its response', async (_what, host, status, code) => {
    const app = await start(platform, { controllers: [Routes], options: { body: { maxBytes: '5mb' } } });
    const text = await sendThenRead(app.port, lines(host, BODY.length), BODY);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toContain(`"code":"${code}"`);
    expect(text).toMatch(/^Connection: close\r$/m);
  });

  it('a request behind the body of a rejected one is not handled', async () => {
    const app = await start(platform, { controllers: [Routes], options: { body: { maxBytes: '5mb' } } });
    const next = Buffer.from('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    const text = await sendThenRead(
      app.port,
      lines('localhost', BODY.length),
      Buffer.concat([BODY, next, next]),
    );
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413']);
    expect(handled).toBe(0);
  });
});
