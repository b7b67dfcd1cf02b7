/* Whether every server of stack.mjs answers as it should, and the load is what it should be. It measures nothing. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createAgent } from './agent.mjs';
import { createApp } from './app.mjs';
import { HAS_WRK } from './child.mjs';
import { fixed, printTable, whole } from './figures.mjs';
import { load, LOADS } from './load.mjs';
import { measure } from './measure.mjs';
import { PLATFORMS, QUESTIONS, RUNS } from './questions.mjs';

/** The questions whose servers differ in what they answer. */
const ASKED = ['get', 'proxied', 'auth', 'tool', 'mcp', 'rejected'];

/** Every stack answers as it should, the floors send what the module sends, and one run goes all the way. */
export async function smoke() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const agent = createAgent();
  const headerNames = new Map();
  const servers = RUNS.filter(({ question, limit }) => ASKED.includes(question) && limit !== 10_000);
  for (const server of servers) {
    const app = await createApp({ ...server, folder, ...(server.withAgent ? { book: agent.book } : {}) });
    await app.listen(0, '127.0.0.1');
    const headers = server.withAgent ? { Authorization: `Bearer ${agent.key}` } : {};
    const sent =
      server.question === 'get' ? [...LOADS.get, ...LOADS.post] : QUESTIONS[server.question].requests;
    for (const request of sent)
      await tryOut(server, app.getHttpServer().address().port, request, headers, headerNames);
    await app.close();
  }
  rmSync(folder, { recursive: true });
  for (const platform of PLATFORMS) {
    const ours = headerNames.get(`${platform} ours`);
    for (const variant of ['floor', 'text-floor']) {
      const floor = headerNames.get(`${platform} ${variant}`);
      if (floor !== ours)
        throw new Error(`The headers of ${variant} are not ours.\n${variant}: ${floor}\nours: ${ours}`);
    }
  }
  console.log(`\nstack: ${servers.length} servers answer as they should`);
  await checkLoad(LOADS.post);
  if (HAS_WRK) await checkLoad(LOADS.proxied);
  const plan = { requests: LOADS.post, warmUpSeconds: 0, seconds: 1 };
  const [result] = await measure({ platform: 'fastify', stack: 'ours' }, plan);
  printTable(
    'Fastify, POST, ours (smoke)',
    ['requests/s', 'CPU µs a request'],
    [[whole(result.perSecond), fixed(result.cpuUs, 1)]],
  );
}

/** Sends a request, after those that exhaust a limit of 10. */
async function tryOut(server, port, request, headers, headerNames) {
  const { method, path, body } = request;
  const answers = async () => {
    const all = { ...request.headers, ...headers };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: all, body });
    await response.arrayBuffer();
    return response;
  };
  const rejects = server.limit === 10;
  let response = await answers();
  for (let left = rejects ? server.limit : 0; left > 0; left--) response = await answers();
  const expected = rejects ? 429 : { GET: 200, POST: server.mcp ? 200 : 201 }[method];
  if (response.status !== expected) {
    throw new Error(
      `${server.platform} ${server.variant} answered ${method} ${path} with ${response.status} in place of ${expected}`,
    );
  }
  if (server.question === 'get' && method === 'GET') {
    headerNames.set(`${server.platform} ${server.variant}`, [...response.headers.keys()].join(' '));
  }
}

/** The load is made of the requests that it should be. */
async function checkLoad(requests) {
  const [expected] = requests;
  const wrong = new Set();
  const clients = new Set();
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { method, url } = request;
    clients.add(request.headers['x-forwarded-for']);
    if (method !== expected.method || url !== expected.path || body !== (expected.body ?? '')) {
      wrong.add(`${method} ${url} with ${body.length} characters`);
    }
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { requests: sent } = await load(server.address().port, requests, 1);
  server.close();
  if (wrong.size > 0) throw new Error(`${expected.method} ${expected.path} came as ${[...wrong].join(', ')}`);
  const least = Math.min(sent, expected.clients ?? 1);
  if (clients.size < least)
    throw new Error(`${clients.size} clients sent ${expected.path} in place of ${least}`);
}
