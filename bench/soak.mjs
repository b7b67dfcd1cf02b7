/* Does memory stay flat, and has every call an audit record, with everything on and under load? `--seconds=600` is the ten minutes. */
import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fixed, printTable, whole } from './support/figures.mjs';
import { readOptions } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';

const options = readOptions({ rounds: 1, seconds: 600 });
prepare();
const { addKey, EMPTY_BOOK, KeyDigests } = await import('../dist/index.js');

const SECONDS = options.smoke ? 2 : options.seconds;
const SAMPLES = options.smoke ? 2 : 20;
const CALLERS = 16;
const SECRET = 'a secret of benches that is long enough';
const digests = new KeyDigests([SECRET]);
const { book, key } = addKey(
  EMPTY_BOOK,
  'bot',
  { scopes: ['notes:delete', 'data:read'], tools: ['*'] },
  digests,
  { prefix: 'ask', nowMs: Date.now() },
);

const json = { 'Content-Type': 'application/json' };
const mine = { 'X-API-Key': key };
const call = name =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } });
/** What callers do, in turn: each with the status that it must get. */
const STEPS = [
  ['read', 200, 'GET', '/read', mine],
  ['a tool of high impact', 200, 'DELETE', '/notes/1', mine],
  [
    'a tool with a secret',
    201,
    'POST',
    '/notes',
    { ...mine, ...json },
    '{"text":"sk-0123456789abcdef0123456789"}',
  ],
  ['no credential', 401, 'DELETE', '/notes/1', {}],
  ['a bad credential', 401, 'GET', '/read', { 'X-API-Key': `${key.slice(0, -1)}x` }],
  ['a foreign host', 421, 'GET', '/read', { Host: 'evil.example' }],
  ['a foreign page', 403, 'POST', '/notes', { ...mine, ...json, Origin: 'https://evil.example' }, '{}'],
  ['no route', 404, 'GET', '/nothing', mine],
  ['bad JSON', 400, 'POST', '/notes', { ...mine, ...json }, '{"a":1,"a":2}'],
  ['a stream', 200, 'GET', '/stream', mine],
  [
    'MCP',
    201,
    'POST',
    '/mcp',
    { ...mine, ...json, Accept: 'application/json, text/event-stream' },
    call('read_file'),
  ],
  [
    'a token',
    200,
    'POST',
    '/oauth/token',
    {
      'Content-Type': 'application/x-www-form-urlencoded',
      Authorization: `Basic ${Buffer.from(`bot:${key}`).toString('base64')}`,
    },
    'grant_type=client_credentials',
  ],
];

async function soak(platform) {
  const folder = mkdtempSync(join(tmpdir(), 'soak-'));
  const auditFile = join(folder, 'audit.log');
  const app = fork(
    new URL('support/soak-app.mjs', import.meta.url),
    [JSON.stringify({ platform, book, secret: SECRET, auditFile })],
    {
      execArgv: ['--expose-gc'],
    },
  );
  const answer = () => new Promise(resolve => app.once('message', resolve));
  const { port } = await answer();
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  const send = ([, , method, path, headers, body]) =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, response => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      });
      sent.on('error', reject);
      sent.end(body);
    });

  const counts = STEPS.map(() => 0);
  const wrong = new Map();
  const endMs = performance.now() + SECONDS * 1_000;
  const load = Promise.all(
    Array.from({ length: CALLERS }, async (_each, caller) => {
      for (let turn = caller; performance.now() < endMs; turn++) {
        const step = STEPS[turn % STEPS.length];
        const status = await send(step);
        if (status === step[1]) counts[turn % STEPS.length]++;
        else wrong.set(`${step[0]}: ${status}`, (wrong.get(`${step[0]}: ${status}`) ?? 0) + 1);
      }
    }),
  );
  const samples = [];
  for (let sample = 1; sample <= SAMPLES; sample++) {
    await new Promise(resolve => setTimeout(resolve, (SECONDS * 1_000) / SAMPLES));
    app.send('memory');
    samples.push(await answer());
  }
  await load;
  agent.destroy();
  const closed = new Promise(resolve => app.once('exit', resolve));
  app.send('close');
  await closed;

  const cli = new URL('../dist/cli/main.js', import.meta.url).pathname;
  const { stdout } = spawnSync(process.execPath, [cli, 'audit', 'verify', auditFile], { encoding: 'utf8' });
  const lines = readdirSync(folder)
    .filter(name => /^audit\.log(?:\.\d+)?$/.test(name))
    .flatMap(name => readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean))
    .map(line => JSON.parse(line));
  const of = (tool, test) => lines.filter(line => line.tool === tool && test(line)).length;
  const records = [
    ['delete_note, begun', counts[1], of('delete_note', line => line.event === 'started')],
    ['delete_note, ended well', counts[1], of('delete_note', line => line.outcome === 'ok')],
    // No credential is verified there: such rejections are counted.
    [
      'no credential, counted',
      counts[3],
      lines
        .filter(line => line.event === 'rejections' && line.code === 'credential_missing')
        .reduce((sum, line) => sum + line.count, 0),
    ],
    ['write_note, ended well', counts[2], of('write_note', line => line.outcome === 'ok')],
  ];
  rmSync(folder, { recursive: true });
  return {
    platform,
    counts,
    wrong,
    samples,
    records,
    chain: stdout.split('\n').find(line => line.startsWith('The chain')),
  };
}

for (const platform of options.only.length > 0 ? options.only : ['fastify', 'express']) {
  const { counts, wrong, samples, records, chain } = await soak(platform);
  const sent = counts.reduce((sum, each) => sum + each, 0);
  printTable(
    `${platform}: ${whole(sent)} requests in ${SECONDS} s, everything on`,
    ['at', 'heap, MB', 'resident, MB', 'unhandled rejections'],
    samples.map(({ heapUsed, rss, unhandled }, index) => [
      `${fixed(((index + 1) * SECONDS) / SAMPLES, 0)} s`,
      fixed(heapUsed / 2 ** 20, 1),
      fixed(rss / 2 ** 20, 1),
      String(unhandled),
    ]),
  );
  printTable(
    `${platform}: audit records`,
    ['what', 'answered', 'lines'],
    records.map(row => row.map(String)),
  );
  console.log(`\n${chain}`);
  console.log(`Other answers than expected: ${JSON.stringify([...wrong])}`);
}
