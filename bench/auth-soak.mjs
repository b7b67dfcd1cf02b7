/* Does an agent ever see another's identity? 50 agents with a key each send requests at the same time, on both platforms. */
import { Agent, request } from 'node:http';
import { readOptions } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { printTable } from './support/figures.mjs';
import { startAuthApp } from './support/auth-app.mjs';

const options = readOptions({ rounds: 1, seconds: 1 });
prepare();
const { addKey, EMPTY_BOOK, KeyDigests } = await import('../dist/index.js');

const REQUESTS = options.smoke ? 2_000 : 100_000;
const AGENTS = 50;
const SECRET = 'a secret of benches that is long enough';
const digests = new KeyDigests([SECRET]);
let book = EMPTY_BOOK;
const agents = [];
for (let index = 0; index < AGENTS; index++) {
  const id = `agent-${index}`;
  const added = addKey(book, id, { claims: { number: index } }, digests, {
    prefix: 'ask',
    nowMs: Date.now(),
  });
  book = added.book;
  agents.push({ id, number: index, key: added.key });
}

const rows = [];
for (const platform of ['express', 'fastify']) {
  const app = await startAuthApp(book, SECRET, platform);
  // Fewer connections than agents, so that one connection carries the requests of several.
  const connections = new Agent({ keepAlive: true, maxSockets: 20 });
  const send = headers =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: app.port, path: '/me', agent: connections, headers }, response => {
        let text = '';
        response.on('data', part => (text += part));
        response.on('end', () => resolve([response.statusCode, text]));
      })
        .on('error', reject)
        .end();
    });
  let wrong = 0;
  let sent = 0;
  const begin = performance.now();
  await Promise.all(
    agents.map(async ({ id, number, key }) => {
      for (let turn = 0; turn < REQUESTS / AGENTS; turn++) {
        sent++;
        // Now and then without a key, on the same connections: no identity may be remembered.
        const anonymous = turn % 10 === 9;
        const headers = anonymous ? {} : turn % 2 ? { 'X-API-Key': key } : { Authorization: `Bearer ${key}` };
        const [status, text] = await send(headers);
        const fits = anonymous
          ? status === 401
          : status === 200 && JSON.parse(text).id === id && JSON.parse(text).claims.number === number;
        if (!fits) wrong++;
      }
    }),
  );
  rows.push([
    platform,
    String(AGENTS),
    String(sent),
    String(wrong),
    String(Math.round(performance.now() - begin)),
  ]);
  connections.destroy();
  await app.close();
  if (wrong > 0) process.exitCode = 1;
}
printTable('Identities', ['platform', 'agents', 'requests', 'wrong', 'ms'], rows);
