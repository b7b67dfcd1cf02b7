/* How much CPU time can an anonymous client cost for each kilobyte that it sends? For each stage, the bytes that were made to be slow. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { SERVER_CORE, startNode } from './support/child.mjs';
import { fixed, median, printTable } from './support/figures.mjs';
import { readOptions, select } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';

const options = readOptions({ rounds: 5, seconds: 1 });

/**
 * What the module adds, as a multiple of what decoding and `JSON.parse` take for the same bytes. A stage that answers by itself is compared with
 * Node's own server, every other one with the same app without the module.
 */
const CEILING = 3;

/** What JSON.parse takes for other bytes than JSON is that of ordinary JSON of their length. */
const RECORDS = JSON.stringify(
  Array.from({ length: 2_000 }, (_, id) => ({
    id,
    name: `Customer ${id}`,
    tags: ['a', 'b'],
    active: true,
    note: 'some words',
  })),
);

/** As many whole repetitions as fit. */
const fill = (part, bytes) => part.repeat(Math.floor(bytes / part.length));
const list = (item, bytes) =>
  `[${Array(Math.max(1, Math.floor(bytes / (item.length + 1))))
    .fill(item)
    .join()}]`;
const keys = bytes => {
  let text = '{"a":0';
  for (let key = 0; text.length < bytes - 10; key++) text += `,"${key.toString(36)}":0`;
  return `${text}}`;
};

const JSON_BODIES = {
  records: bytes => list('{"id":12,"name":"Customer","tags":["a","b"]}', bytes),
  keys,
  nesting: bytes => fill('[', bytes),
  arrays: bytes => list('[]', bytes),
  objects: bytes => list('{}', bytes),
  escapes: bytes => list('{"\\u0061\\ud83d\\ude00":"\\u0061\\u0062"}', bytes),
  'long text': bytes => JSON.stringify(fill('word ', bytes)),
  'half tokens': bytes => list(JSON.stringify(fill('token=eyJ-', 900)), bytes),
  assignments: bytes => list(JSON.stringify(fill('aa:bb ', 900)), bytes),
};

const post = (path, type, body, more = '') =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const get = (target, lines = '') => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n`;

const json = (stage, stack, path, bytes, type = 'application/json', more = '') =>
  Object.entries(JSON_BODIES).map(([name, body]) => ({
    stage,
    stack,
    name,
    send: size => post(path, type, body(size), more),
    parse: size => body(size),
    bytes,
  }));

const MCP_HEADERS = 'Accept: application/json, text/event-stream\r\n';
const form = 'application/x-www-form-urlencoded';

/** `send(size)` is a request whose variable part has about that size. */
const CASES = [
  ...json('JSON body', 'open', '/echo', 90_000),
  ...json('tool route', 'closed', '/tool', 90_000),
  ...json('tool route without auth', 'open', '/tool', 90_000),
  ...json('MCP endpoint', 'closed', '/mcp', 1_000_000, 'application/json', MCP_HEADERS),
  ...json('CSP reports', 'open', '/.well-known/csp-reports', 60_000, 'application/reports+json'),
  {
    stage: 'form',
    stack: 'open',
    name: 'pairs',
    bytes: 9_000,
    send: size => post('/echo', form, fill('a=1&', size)),
  },
  {
    stage: 'form',
    stack: 'open',
    name: 'brackets',
    bytes: 90_000,
    send: size => post('/echo', form, `a${fill('[b]', size)}=1`),
  },
  {
    stage: 'form',
    stack: 'open',
    name: 'escapes',
    bytes: 90_000,
    send: size => post('/echo', form, `a=${fill('%41', size)}`),
  },
  {
    stage: 'token endpoint',
    stack: 'closed',
    name: 'escapes',
    bytes: 8_000,
    send: size => post('/oauth/token', form, `a=${fill('%41', size)}`),
  },
  {
    stage: 'token endpoint',
    stack: 'closed',
    name: 'pairs',
    bytes: 8_000,
    send: size => post('/oauth/token', form, fill('a=1&', size)),
  },
  {
    stage: 'headers',
    stack: 'open',
    name: 'many',
    bytes: 12_000,
    send: size => get('/echo', fill('X-A: b\r\n', size)),
  },
  {
    stage: 'headers',
    stack: 'open',
    name: 'long',
    bytes: 12_000,
    send: size => get('/echo', `X-A: ${fill('b', size)}\r\n`),
  },
  {
    stage: 'cookies',
    stack: 'open',
    name: 'many',
    bytes: 12_000,
    send: size => get('/echo', `Cookie: ${fill('a=b; ', size)}a=b\r\n`),
  },
  {
    stage: 'credentials',
    stack: 'closed',
    name: 'bearer',
    bytes: 12_000,
    send: size => get('/echo', `Authorization: Bearer ${fill('a', size)}\r\n`),
  },
  {
    stage: 'credentials',
    stack: 'closed',
    name: 'blanks',
    bytes: 12_000,
    send: size => get('/echo', `Authorization: DPoP${fill('\t', size)}x\r\n`),
  },
  {
    stage: 'credentials',
    stack: 'closed',
    name: 'token',
    bytes: 12_000,
    send: size =>
      get('/echo', `Authorization: Bearer eyJ${fill('a', size / 2)}.${fill('b', size / 2)}.c\r\n`),
  },
  {
    stage: 'forwarded',
    stack: 'open',
    name: 'X-Forwarded-For',
    bytes: 12_000,
    send: size => get('/echo', `X-Forwarded-For: ${fill('127.0.0.1, ', size)}127.0.0.1\r\n`),
  },
  {
    stage: 'forwarded',
    stack: 'open',
    name: 'Forwarded',
    bytes: 12_000,
    send: size => get('/echo', `Forwarded: ${fill('for=127.0.0.1, ', size)}for=127.0.0.1\r\n`),
  },
  { stage: 'URL', stack: 'open', name: 'segments', bytes: 7_000, send: size => get(`/${fill('a/', size)}`) },
  { stage: 'URL', stack: 'open', name: 'escapes', bytes: 7_000, send: size => get(`/${fill('%25', size)}`) },
  {
    stage: 'URL',
    stack: 'open',
    name: 'query',
    bytes: 7_000,
    send: size => get(`/echo?${fill('a=1&', size)}`),
  },
  {
    stage: 'URL',
    stack: 'closed',
    name: 'query',
    bytes: 7_000,
    send: size => get(`/echo?${fill('%61=1&', size)}`),
  },
  {
    stage: 'URL',
    stack: 'closed',
    name: 'query without text',
    bytes: 7_000,
    send: size => get(`/echo?${fill('%ff=1&', size)}`),
  },
  {
    stage: 'URL',
    stack: 'closed',
    name: 'query of half escapes',
    bytes: 7_000,
    send: size => get(`/echo?${fill('%z=1&', size)}`),
  },
];

/** One request at a time; a connection that the server closes is opened again. */
async function sendAll(port, request, times) {
  const bytes = Buffer.from(request);
  let socket;
  for (let sent = 0; sent < times; sent++) {
    if (socket === undefined || socket.destroyed || !socket.writable) {
      socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
    }
    socket.write(bytes);
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    // Behind what was written in several pieces.
    await new Promise(resolve => setImmediate(resolve));
  }
  socket?.destroy();
}

async function cpuOf(server, request, times) {
  const { cpuMicros: before } = await server.request({});
  await sendAll(server.port, request, times);
  const { cpuMicros: after } = await server.request({});
  return (after - before) / times;
}

/** By what a request of a size costs more than an empty one of its kind: microseconds a kilobyte. */
async function costPerKb(server, { send, bytes }, times) {
  const [large, small] = [send(bytes), send(64)];
  const [dear, cheap] = [await cpuOf(server, large, times), await cpuOf(server, small, times)];
  return ((dear - cheap) / (large.length - small.length)) * 1_000;
}

async function parsePerKb(server, { parse, bytes }, times) {
  const text = parse?.(bytes) ?? RECORDS;
  const valid = isJson(text) ? text : RECORDS;
  const { cpuMicros } = await server.request({ parse: valid, rounds: times });
  return (cpuMicros / times / valid.length) * 1_000;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function start(platform, stack) {
  const server = await startNode(SERVER_CORE, './amplification-process.mjs', { platform, stack });
  return Object.assign(server, await server.next());
}

const ALONE = new Set(['MCP endpoint', 'CSP reports', 'token endpoint']);

async function measure({ server, bare, node }, run) {
  const times = options.smoke ? 3 : Math.max(20, Math.floor((options.seconds * 4_000_000) / run.bytes));
  const samples = [];
  for (let round = 0; round < (options.smoke ? 1 : options.rounds + 1); round++) {
    const parse = await parsePerKb(server, run, Math.max(times, 100));
    const base = ALONE.has(run.stage) ? node : bare;
    const own = (await costPerKb(server, run, times)) - (await costPerKb(base, run, times));
    // The first round warms up.
    if (round > 0 || options.smoke) samples.push({ own, parse });
  }
  return { own: median(samples.map(({ own }) => own)), parse: median(samples.map(({ parse }) => parse)) };
}

prepare();
const runs = ['express', 'fastify'].flatMap(platform => CASES.map(each => ({ platform, ...each })));
const selected = select(runs, options.only, ['platform', 'stage', 'stack', 'name']);
// One case of each stage shows that it still runs.
const chosen = options.smoke
  ? selected.filter(({ stage }, index) => selected.findIndex(other => other.stage === stage) === index)
  : selected;
const node = await start('node');
for (const platform of ['express', 'fastify']) {
  const worst = new Map();
  const bare = await start(platform, 'bare');
  for (const stack of ['open', 'closed']) {
    const cases = chosen.filter(run => run.platform === platform && run.stack === stack);
    if (cases.length === 0) continue;
    const server = await start(platform, stack);
    for (const run of cases) {
      console.error(`bench: ${platform}, ${run.stage}, ${run.name}`);
      const figures = { ...run, ...(await measure({ server, bare, node }, run)) };
      const known = worst.get(run.stage);
      if (known === undefined || figures.own / figures.parse > known.own / known.parse)
        worst.set(run.stage, figures);
    }
    await server.stop();
  }
  await bare.stop();
  if (worst.size === 0) continue;
  printTable(
    `${platform}: CPU time that the module adds, of the worst bytes for each stage (ceiling ${CEILING} × JSON.parse)`,
    ['stage', 'worst bytes', 'µs a kB', 'JSON.parse, µs a kB', '×', 'ceiling'],
    [...worst.values()].map(({ stage, name, own, parse }) => [
      stage,
      name,
      fixed(own, 2),
      fixed(parse, 2),
      fixed(own / parse, 2),
      own <= CEILING * parse ? 'met' : 'not met',
    ]),
  );
}
await node.stop();
