/* Certificates and protocols: what is not valid is reported, and never taken for valid. */
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import { idsIn, runScan, scanJson } from '../support/scan.js';
import type { AddressInfo } from 'node:net';
import { selfSigned } from '../support/self-signed.js';

const open: { close(done: () => void): unknown; closeAllConnections(): void }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise<void>(done => void server.close(done));
  }
});

const [trusted, other] = [selfSigned(), selfSigned()];

async function serve(otherAt: (count: number) => boolean): Promise<string> {
  let count = 0;
  const server = createServer(trusted, (_request, response) => {
    server.setSecureContext(otherAt(++count + 1) ? other : trusted);
    response.end('{}');
  });
  open.push(server);
  await new Promise<void>(listening => void server.listen(0, '127.0.0.1', listening));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test.each([
  ['one that is trusted', () => false, trusted.cert, false],
  ['one that is not trusted', () => false, undefined, true],
  ['another one at a few requests', (count: number) => count === 20, trusted.cert, true],
])('a certificate: %s', async (_title, otherAt, ca, isFault) => {
  const report = await scanJson(await serve(otherAt), ca === undefined ? {} : { ca });
  expect(idsIn(report).includes('ASEC-S061')).toBe(isFault);
});

test('a server without TLS is told from one that does not answer', async () => {
  const server = createPlain((_request, response) => void response.end('{}'));
  open.push(server);
  await new Promise<void>(listening => void server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  expect(await runScan([`https://127.0.0.1:${port}/`])).toEqual({
    status: 2,
    out: '',
    err: `https://127.0.0.1:${port} cannot be scanned: no TLS.\n`,
  });
});

test.each([
  ['[::ffff:127.0.0.1]', true],
  ['[::ffff:127.255.0.9]', true],
  ['2130706433', true],
  ['0x7f.1', true],
  ['[::ffff:127.0]', false],
  ['[::ffff:10.0.0.1]', false],
  ['[::ffff:0:127.0.0.1]', false],
  ['[::7f00:1]', false],
  ['[64:ff9b::7f00:1]', false],
  ['0', false],
  ['127.0.0.1.example.invalid', false],
])('%s is this machine: %s', async (host, isLoopback) => {
  const { err } = await runScan([`http://${host}:1/`]);
  expect(/cannot be scanned: no connection/.test(err)).toBe(isLoopback);
});
