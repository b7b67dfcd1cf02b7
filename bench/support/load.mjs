/* Load on a server: wrk where it is installed, else autocannon. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HAS_WRK, LOAD_CORE, runPinned } from './child.mjs';

const CONNECTIONS = 64;

/**
 * `clients` sends each request so often with another X-Forwarded-For.
 * @typedef {{ method: string, path: string, headers?: Record<string, string>, body?: string, clients?: number }} LoadRequest
 * @typedef {{ requests: number, perSecond: number, p50Ms: number, p99Ms: number, rejected: number }} LoadResult
 */

/** @type {Record<string, LoadRequest[]>} */
export const LOADS = {
  get: [{ method: 'GET', path: '/' }],
  post: [
    {
      method: 'POST',
      path: '/',
      headers: { 'Content-Type': 'application/json' },
      body: jsonBody(1024),
    },
  ],
  proxied: [{ method: 'GET', path: '/', clients: 10_000 }],
  origin: [{ method: 'GET', path: '/', headers: { Origin: 'https://app.example.com' } }],
  tool: [
    {
      method: 'POST',
      path: '/tool',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ title: 'a note', text: 'a text of some length' }),
    },
  ],
  mcp: [
    {
      method: 'POST',
      path: '/mcp',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': '2025-06-18',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'write_note', arguments: { title: 'a note', text: 'a text of some length' } },
      }),
    },
  ],
};

/** A JSON object of exactly so many bytes, of fields as an API sends them. */
function jsonBody(bytes) {
  const fields = { name: 'search', limit: 20, tags: ['a', 'b', 'c'], nested: { page: 1, exact: true } };
  for (let index = 0; index < 20; index++) fields[`field${index}`] = 'a value of some length';
  const rest = bytes - JSON.stringify({ ...fields, text: '' }).length;
  return JSON.stringify({ ...fields, text: 'x'.repeat(rest) });
}

/**
 * Sends the requests in turn over 64 connections.
 * @param {number} port
 * @param {readonly LoadRequest[]} requests
 * @param {number} seconds
 * @returns {Promise<LoadResult>} rejected: the share of answers outside 2xx and 3xx
 */
export async function load(port, requests, seconds) {
  const once = HAS_WRK ? loadWithWrk : loadWithAutocannon;
  const result = await once(port, requests, seconds);
  // On a busy machine, a short load may end before its first answer.
  const valid = result.requests > 0 ? result : await once(port, requests, seconds);
  if (!(valid.requests > 0)) throw new Error('The load got no answer, twice.');
  return valid;
}

async function loadWithWrk(port, requests, seconds) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const script = join(folder, 'requests.lua');
  writeFileSync(script, luaScript(requests, port));
  try {
    const output = await runPinned(LOAD_CORE, 'wrk', [
      '-t1',
      `-c${CONNECTIONS}`,
      `-d${seconds}s`,
      '--latency',
      '-s',
      script,
      `http://127.0.0.1:${port}`,
    ]);
    return readWrk(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Requests are formatted once, before the run. */
function luaScript(requests, port) {
  // With a leading space: between brackets, two of them in a row would begin another text.
  const quote = text => ` [==[${text}]==]`;
  const lines = requests.map(({ method, path, headers, body, clients = 1 }) => {
    const all = Object.entries({ Host: `127.0.0.1:${port}`, ...headers });
    const table = all.map(([name, value]) => `[${quote(name)}] = ${quote(value)}`).join(', ');
    const forwarded =
      clients === 1
        ? ''
        : `headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", client % 7, math.floor(client / 100), client % 100)`;
    return [
      `  for client = 1, ${clients} do`,
      `    local headers = { ${table} }`,
      `    ${forwarded}`,
      `    requests[#requests + 1] = wrk.format(${quote(method)}, ${quote(path)}, headers, ${body === undefined ? 'nil' : quote(body)})`,
      '  end',
    ].join('\n');
  });
  return [
    'local requests = {}',
    'local last = 0',
    'function init()',
    ...lines,
    'end',
    'function request()',
    '  last = last % #requests + 1',
    '  return requests[last]',
    'end',
  ].join('\n');
}

function readWrk(output) {
  const read = pattern => pattern.exec(output)?.[1];
  const percentile = rank => readDuration(read(new RegExp(String.raw`^ +${rank}% +(\S+) *$`, 'm')));
  const requests = Number(read(/(\d+) requests in/));
  const broken = /Socket errors: (?!connect 0, read 0, write 0)/.test(output);
  if (Number.isNaN(requests) || broken) throw new Error(`wrk met errors:\n${output}`);
  return {
    requests,
    perSecond: Number(read(/Requests\/sec:\s*([\d.]+)/)),
    p50Ms: percentile(50),
    p99Ms: percentile(99),
    rejected: Number(read(/Non-2xx or 3xx responses: (\d+)/) ?? 0) / requests,
  };
}

function readDuration(text) {
  const [, number, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? '') ?? [];
  return Number(number) * { us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit ?? 'ms'];
}

async function loadWithAutocannon(port, requests, seconds) {
  const command = createRequire(import.meta.url).resolve('autocannon');
  const [{ method, path, headers = {}, body }] = requests;
  // Its command line sends one kind of request; several are sent by wrk only.
  const output = await runPinned(LOAD_CORE, process.execPath, [
    command,
    '--json',
    '--no-progress',
    '--connections',
    String(CONNECTIONS),
    '--duration',
    String(seconds),
    '--method',
    method,
    ...Object.entries(headers).flatMap(([name, value]) => ['--headers', `${name}=${value}`]),
    ...(body === undefined ? [] : ['--body', body]),
    `http://127.0.0.1:${port}${path}`,
  ]);
  const result = JSON.parse(output);
  if (result.errors > 0) throw new Error(`autocannon met ${result.errors} errors`);
  return {
    requests: result.requests.total,
    perSecond: result.requests.average,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    rejected: result.non2xx / result.requests.total,
  };
}
