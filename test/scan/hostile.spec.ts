/* Servers that mean harm, or only fail: a scan ends, in bounded memory, with findings or with the exit code 2. */
import { lookup } from 'node:dns/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { runScan, type ScanRun } from '../support/scan.js';

const open: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(open.splice(0).map(server => new Promise(done => server.close(done))));
});

/** @param answer what each connection does once a request came */
async function serve(answer: (socket: Socket, request: string) => void): Promise<string> {
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', part => answer(socket, part.toString()));
  });
  open.push(server);
  await new Promise<void>(listening => void server.listen(0, '127.0.0.1', listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Only silence takes this long. */
const SILENCE_MS = 150;
const scan = (url: string, requestMs = 5_000, ...more: string[]): Promise<ScanRun> =>
  runScan([url, ...more], { bounds: { requestMs, maxBytes: 65_536, maxRequests: 70 } });

/** Writes until the connection ends. */
function flood(socket: Socket, start: string, part: string): void {
  // Large parts: the kernel takes very many small ones before it lets the reader run.
  const block = part.repeat(Math.ceil(65_536 / part.length));
  socket.write(start);
  const write = (): void => {
    while (socket.writable && socket.write(block));
    if (socket.writable) socket.once('drain', write);
  };
  write();
}

const OK = 'HTTP/1.1 200 OK\r\n';

test.each<[title: string, answer: (socket: Socket) => void, err: RegExp]>([
  ['headers without end', socket => flood(socket, OK, `X: ${'a'.repeat(1000)}\r\n`), /too large/],
  ['one endless header line', socket => flood(socket, `${OK}X: `, 'a'), /too large|not HTTP/],
  ['endless responses of 1xx', socket => flood(socket, '', 'HTTP/1.1 103 Early Hints\r\n\r\n'), /not HTTP/],
  ['garbage', socket => flood(socket, '', '\u0000\u00ff\u001b[31m'), /not HTTP|too large/],
  ['another protocol', socket => void socket.write('SSH-2.0-OpenSSH_9.9\r\n'), /not HTTP/],
  ['a status that is none', socket => void socket.end('HTTP/1.1 99999 X\r\n\r\n'), /not HTTP/],
  ['a header line without a name', socket => void socket.end(`${OK}: x\r\n\r\n`), /not HTTP/],
  ['silence', () => undefined, /no answer in time/],
  ['a head that stops', socket => void socket.write(`${OK}X-A: b\r\n`), /no answer in time/],
  ['a closed connection', socket => void socket.end(), /closed/],
  ['a reset connection', socket => void socket.resetAndDestroy(), /closed/],
])('ends with 2 for %s', async (_title, answer, err) => {
  const isSilent = /in time/.test(err.source);
  const { status, out, err: text } = await scan(await serve(answer), isSilent ? SILENCE_MS : undefined);
  expect([status, out]).toEqual([2, '']);
  expect(text).toMatch(err);
  // oxlint-disable-next-line no-control-regex -- no byte of the server reaches the terminal
  expect(text).not.toMatch(/[\u0000-\u0009\u001b\u00ff]/);
});

test('ends with 2 where nothing listens', async () => {
  const url = await serve(() => undefined);
  await new Promise(done => open.pop()!.close(done));
  expect(await scan(url)).toMatchObject({ status: 2, err: expect.stringContaining('no connection') });
});

test.each<[title: string, answer: (socket: Socket) => void]>([
  ['a body without end', socket => flood(socket, `${OK}\r\n`, 'a')],
  [
    'chunks without end',
    socket => flood(socket, `${OK}Transfer-Encoding: chunked\r\n\r\n`, '5\r\naaaaa\r\n'),
  ],
  ['a body that is larger than announced', socket => flood(socket, `${OK}Content-Length: 5\r\n\r\n`, 'a')],
  [
    'a chunk of an impossible size',
    socket => void socket.end(`${OK}Transfer-Encoding: chunked\r\n\r\nffffffffffff\r\na`),
  ],
  [
    'cookies by the hundred',
    socket => void socket.end(`${OK}${'Set-Cookie: a\u001b[31m=1\r\n'.repeat(150)}\r\n`),
  ],
  ['a redirect to itself', socket => void socket.end('HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n')],
  [
    'HTML without end of a tag',
    socket => void socket.end(`${OK}Content-Type: text/html\r\n\r\n${'<script '.repeat(7_000)}`),
  ],
])('shows findings for %s', async (_title, answer) => {
  const before = process.memoryUsage();
  const { status, out } = await scan(await serve(answer));
  const after = process.memoryUsage();
  expect(status).toBe(1);
  expect(out).toContain('ASEC-S001');
  // What is too large is cut, and not waited for.
  expect(out).not.toContain('stopped answering');
  // oxlint-disable-next-line no-control-regex -- what the server sent is escaped
  expect(out).not.toMatch(/[\u0000-\u0009\u001b]/);
  expect(after.rss - before.rss).toBeLessThan(200_000_000);
});

test('a server that becomes silent is not asked again, and the report is no proof', async () => {
  let served = 0;
  const url = await serve(socket => {
    if (served++ < 10) socket.end(`${OK}Content-Length: 0\r\n\r\n`);
  });
  const { status, out } = await scan(
    url,
    SILENCE_MS,
    '--fail-level',
    'error',
    '--silence',
    'ASEC-S020=not asked',
  );
  expect(out).toMatch(/note: The server stopped answering: \d+ requests were not sent\./);
  expect(served).toBe(13);
  expect(status).toBe(2);
});

test('a stream that does not end is read as far as its headers', async () => {
  const url = await serve(
    socket => void socket.write(`${OK}Content-Type: text/event-stream\r\n\r\ndata: 1\n\n`),
  );
  const { status, out } = await scan(url);
  expect([status, out.includes('stopped answering')]).toEqual([1, false]);
});

test('a name is asked at each of its addresses', async () => {
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(`${OK}Content-Length: 0\r\n\r\n`));
  });
  open.push(server);
  await new Promise<void>(listening => void server.listen(0, '::1', listening));
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const { status, err } = await scan(`${origin}/`);
  // Not every machine has the name at ::1.
  const isBoth = (await lookup('localhost', { all: true })).some(({ family }) => family === 6);
  expect([status, err]).toEqual(isBoth ? [1, ''] : [2, `${origin} cannot be scanned: no connection.\n`]);
});

test('no more requests are sent than allowed', async () => {
  let served = 0;
  const url = await serve(socket => {
    served++;
    socket.end(`${OK}Content-Length: 0\r\n\r\n`);
  });
  expect((await scan(url)).status).toBe(1);
  expect(served).toBeLessThanOrEqual(71);
});

test.each([
  ['host', (url: URL) => url.href.replace('127.0.0.1', 'localhost')],
  ['port', (url: URL) => url.href.replace(url.port, '1')],
])('a redirect to another %s is not followed', async (_title, change) => {
  const requests: string[] = [];
  const url = await serve((socket, request) => {
    requests.push(request);
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\n\r\n`);
  });
  const location = change(new URL(url));
  const { out } = await scan(url);
  expect(out).toContain(`note: The redirect to ${new URL(location).origin} was not followed.`);
  expect(requests.filter(request => /^Host: localhost/m.test(request))).toEqual([]);
});

test.each([
  ['an address of a network', 'http://192.0.2.1/'],
  ['an address of the host itself that is no loopback', 'http://0.0.0.0/'],
  ['a private address', 'http://[fd00::1]/'],
])('does not scan %s without --i-own-this-host', async (_title, url) => {
  expect(await scan(url)).toEqual({
    status: 2,
    out: '',
    err: expect.stringMatching(/is not this machine\. Add --i-own-this-host/),
  });
});
