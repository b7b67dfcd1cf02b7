/* The sample as a user meets it: built, started by plain Node on either platform, and called with the commands that it prints. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { addKey, EMPTY_BOOK, KeyDigests } from '../src/index.js';
import { request } from './support/http.js';

const ROOT = resolve(__dirname, '..');
const SAMPLE = join(ROOT, 'sample', 'agent-api');
const MAIN = join(SAMPLE, 'dist', 'main.js');

/** The environment of the test without anything that would configure the sample. */
const CLEAN = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !variablesOf(readExample()).includes(name)),
);

function readExample(): string {
  return readFileSync(join(SAMPLE, '.env.example'), 'utf8');
}

function variablesOf(text: string): string[] {
  return [...text.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name!);
}

interface Sample {
  readonly process: ChildProcess;
  readonly port: number;
  /** What it has printed. */
  readonly text: string;
  /** The header of the demo key. */
  readonly key: Record<string, string>;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const keyIn = (text: string): Record<string, string> => ({
  'X-API-Key': /ask_\w+/.exec(text)?.[0] ?? '',
});

const running: ChildProcess[] = [];
let scratch = '';

beforeAll(() => {
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', SAMPLE], {
    stdio: 'inherit',
  });
  scratch = mkdtempSync(join(tmpdir(), 'sample-'));
}, 120_000);

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Starts it in an empty directory, on a free port, without waiting between words. */
function startSample(env: Record<string, string>, cwd = scratch): Promise<Sample> {
  const child = spawn(process.execPath, [MAIN], {
    cwd,
    env: { ...CLEAN, PORT: '0', TOKEN_DELAY_MS: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const exit = new Promise<Awaited<Sample['exit']>>(settle => {
    child.once('exit', (code, signal) => settle({ code, signal }));
  });
  return new Promise((settle, fail) => {
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      const port = /done\s+$/.test(text) ? /http:\/\/127\.0\.0\.1:(\d+)/.exec(text) : null;
      if (port) settle({ process: child, port: Number(port[1]), text, key: keyIn(text), exit });
    };
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
    child.once('exit', code => fail(new Error(`The sample ended with ${code}: ${text}`)));
  });
}

/** One sample for several tests of a platform: they leave nothing behind that another one meets. */
function share(env: () => Record<string, string>, cwd?: () => string): () => Sample {
  let sample: Sample;
  beforeAll(async () => {
    sample = await startSample(env(), cwd?.());
    running.pop();
  });
  afterAll(() => void sample?.process.kill('SIGKILL'));
  return () => sample;
}

/** Agents in the environment: one without a scope, and one per test that spends the quotas of tools. */
const SECRET = 'a secret of tests that is long enough';
const keys = new Map<string, Record<string, string>>();
const book = ['bot', 'five-runs', 'tools', 'notes'].reduce((before, agent) => {
  const rights = agent === 'bot' ? { scopes: [] } : { scopes: ['tools:run'], tools: ['*'] };
  const choices = { prefix: 'ask', nowMs: Date.now() };
  const added = addKey(before, agent, rights, new KeyDigests([SECRET]), choices);
  keys.set(agent, { 'X-API-Key': added.key });
  return added.book;
}, EMPTY_BOOK);
const keyOf = (agent: string): Record<string, string> => keys.get(agent)!;

const shell = async (command: string): Promise<string> =>
  (await promisify(execFile)('sh', ['-c', command])).stdout.replaceAll('\r', '');

const chromium = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(path => path && existsSync(path));
const whereThereIsOne =
  chromium === undefined && process.env['REQUIRE_ALL_SUITES'] !== '1' ? describe.skip : describe;

const PLATFORMS = ['express', 'fastify'];

test('a scan finds nothing in it, and gives it an A+', async () => {
  const { port } = await startSample({ PLATFORM: 'fastify' });
  const url = `http://127.0.0.1:${port}/tools`;
  const report = await shell(`node ${join(ROOT, 'dist/cli/main.js')} scan ${url} --mcp /mcp`);
  expect(report).toMatch(
    /^note: Plain HTTP: .+\nhttp:\S+: A\+\n {2}headers {6}C\+ \(60\)\n(?: {2}\w+ +A\+ \(100\)\n){9}/,
  );
  expect(report).toContain('Behind TLS, the headers are A+ (130).\n\n0 findings of');
}, 60_000);

describe.each(PLATFORMS)('on %s', platform => {
  const plain = share(() => ({ PLATFORM: platform }));
  const ample = share(() => ({ PLATFORM: platform, RATE_LIMIT: '1000/minute' }));
  const withKeys = share(() => ({
    PLATFORM: platform,
    RATE_LIMIT: '1000/minute',
    AUTH_API_KEYS: JSON.stringify(book),
    AUTH_KEY_SECRET: SECRET,
  }));
  const withFile = share(
    () => ({ PUBLIC_URL: 'https://api.example.com', TOKEN_DELAY_MS: '10000' }),
    () => {
      const directory = mkdtempSync(join(scratch, 'env-'));
      writeFileSync(
        join(directory, '.env'),
        `PLATFORM=${platform}\nALLOWED_HOSTS=api.example.com\nRATE_LIMIT=30/minute\n`,
      );
      return directory;
    },
  );

  test('its commands show what they promise', async () => {
    const { text } = plain();
    expect(text).toContain(`Agent API on ${platform}: http://127.0.0.1:`);
    const commands = [...text.slice(text.indexOf('Agent API on')).matchAll(/^ {2}(\S.*)$/gm)].map(
      ([, command]) => command!,
    );
    expect(commands).toHaveLength(8);
    const answers: string[] = [];
    for (const command of commands) answers.push(await shell(command));
    const [good, known, rejected, foreign, deletion, verification, refreshed, loop] = answers;
    expect(good).toMatch(/^HTTP\/1\.1 200 OK\n/);
    expect(good).toMatch(/^X-Content-Type-Options: nosniff$/m);
    expect(good).toMatch(/^Cache-Control: public, max-age=60$/im);
    expect(good).toMatch(/^RateLimit: "10-per-second";r=9;t=1, "100-per-minute";r=99;t=60$/m);
    expect(known).toMatch(/^HTTP\/1\.1 200 OK\n/);
    expect(known).toContain('{"id":"demo-agent","kind":"api-key","scopes":["tools:run"]}');
    expect(rejected).toMatch(/^HTTP\/1\.1 401 Unauthorized\n/);
    expect(rejected).toMatch(/^WWW-Authenticate: Bearer realm="api", resource_metadata="[^"]+"$/m);
    expect(refreshed).toMatch(/^HTTP\/1\.1 200 OK\n/);
    expect(refreshed).toContain('{"id":"demo-agent","kind":"token","scopes":["tools:run"]}');
    expect(foreign).toMatch(/^HTTP\/1\.1 421 Misdirected Request\n/);
    expect(foreign).toMatch(/"code":"host_not_allowed"/);
    const [status, started, finished] = deletion!.split('\n') as [string, string, string];
    expect(status).toBe('HTTP/1.1 200 OK');
    const call = { tool: 'delete_note', impact: 'high', address: '127.0.0.1' };
    expect(JSON.parse(started)).toMatchObject({
      event: 'started',
      ...call,
      params: { path: { id: '1' } },
      seq: 1,
    });
    expect(verification).toMatch(
      /^The chain is whole: [12] whole lines in 1 file\(s\), numbers 1 to [12]\.$/m,
    );
    expect(finished === '' || (JSON.parse(finished) as { outcome: string }).outcome === 'ok').toBe(true);
    expect(loop).toMatch(
      /^(?:HTTP\/1\.1 200 OK\n){5}HTTP\/1\.1 429 Too Many Requests\nRetry-After: (?:60|59)\n$/,
    );
  });

  test('its first page links to what there is, and its dashboard is for the operator whose key it prints', async () => {
    const { port, text, key } = ample();
    const first = await request(port, { path: '/' });
    expect([first.status, first.header('Content-Type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(first.header('Content-Security-Policy')).not.toContain("script-src 'unsafe-inline'");
    const paths = [...first.body.matchAll(/href="([^"]+)"/g)].map(([, path]) => path!);
    expect(paths).toContain('/security');
    const expected = new Map([
      ['/me', 401],
      ['/nothing', 404],
    ]);
    for (const path of paths)
      expect([path, (await request(port, { path })).status]).toEqual([path, expected.get(path) ?? 200]);
    const operator = { 'X-API-Key': /sign in with (ask_\w+)/.exec(text)![1]! };
    const { minutes } = (await request(port, { path: '/security/data', headers: operator })).json();
    expect(minutes[0].requests).toBeGreaterThan(5);
    expect((await request(port, { path: '/security/data', headers: key })).status).toBe(403);
  });

  test('takes the keys of the environment in place of one of its own', async () => {
    const { port, text } = withKeys();
    expect(text).not.toContain('ask_');
    const headers = keyOf('bot');
    expect((await request(port, { path: '/me', headers })).json().id).toBe('bot');
    const run = await request(port, { path: '/tools/calculator/run', headers, method: 'POST' });
    expect([run.status, run.json().code]).toEqual([403, 'insufficient_scope']);
  });

  test.each(['/mcp', '/mcp-nest'])('%s: an MCP server behind the module', async path => {
    const callMcp = async (method: string, params: object, headers: Record<string, string> = {}) =>
      request(ample().port, {
        path,
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          ...ample().key,
          ...headers,
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      });
    const call = await callMcp('tools/call', { name: 'calculator', arguments: { input: '6 * 7' } });
    expect([call.status, call.body]).toEqual([200, expect.stringContaining('{\\"result\\":42}')]);
    const list = await callMcp('tools/list', {});
    expect(list.body).toContain('"calculator"');
    expect(list.body).not.toContain('reset-memory');
    expect((await callMcp('tools/call', { name: 'reset-memory', arguments: {} })).status).toBe(403);
    expect((await callMcp('tools/list', {}, { 'X-API-Key': 'no-key' })).status).toBe(401);
    expect((await callMcp('tools/list', {}, { Origin: 'https://evil.example' })).status).toBe(403);
  });

  describe('one policy for a tool, whatever the transport', () => {
    const MCP_PATHS = ['/mcp', '/mcp-nest'];
    const callers = (port: number, headers: Record<string, string>) => ({
      http: () =>
        request(port, {
          path: '/tools/calculator/run',
          headers: { ...headers, 'Content-Type': 'application/json' },
          body: '{"input":"6 * 7"}',
        }),
      mcp: (path: string, method = 'tools/call') =>
        request(port, {
          path,
          headers: {
            ...headers,
            'Content-Type': 'application/json',
            Accept: 'application/json, text/event-stream',
          },
          body: JSON.stringify({
            jsonrpc: '2.0',
            id: 1,
            method,
            params: method === 'tools/call' ? { name: 'calculator', arguments: { input: '6 * 7' } } : {},
          }),
        }),
    });

    test('an agent without the scope runs it nowhere', async () => {
      const { http, mcp } = callers(withKeys().port, keyOf('bot'));
      expect((await http()).status).toBe(403);
      for (const path of MCP_PATHS) {
        expect((await mcp(path)).status).toBe(403);
        expect((await mcp(path, 'tools/list')).body).not.toContain('calculator');
      }
    });

    test('five runs a minute are five over all of them', async () => {
      const { http, mcp } = callers(withKeys().port, keyOf('five-runs'));
      const statuses: number[] = [];
      for (const path of [...MCP_PATHS, ...MCP_PATHS]) statuses.push((await mcp(path)).status);
      for (let run = 0; run < 2; run++) statuses.push((await http()).status);
      for (const path of MCP_PATHS) statuses.push((await mcp(path)).status);
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    });
  });

  test('its issuer and its metadata have the URL that it prints, and the token that they lead to works', async () => {
    const { port, text } = ample();
    const url = `http://127.0.0.1:${port}`;
    expect(text).toContain(url);
    const read = async (path: string) => (await request(port, { path: `/.well-known/${path}` })).json();
    expect(await read('oauth-protected-resource')).toMatchObject({
      resource: url,
      authorization_servers: [url],
    });
    const { issuer, token_endpoint } = await read('oauth-authorization-server');
    expect([issuer, token_endpoint]).toEqual([url, `${url}/oauth/token`]);
  });

  test('PUBLIC_URL names the issuer behind a proxy', async () => {
    const { issuer } = (
      await request(withFile().port, {
        path: '/.well-known/oauth-authorization-server',
        headers: { Host: 'api.example.com' },
      })
    ).json();
    expect(issuer).toBe('https://api.example.com');
  });

  test('its OpenAPI document describes each operation, and its prefilled bodies work', async () => {
    const { port, key } = ample();
    const document = (await request(port, { path: '/docs-json' })).json();
    expect(document.info.description).toContain('Authorize');
    let prefilled = 0;
    for (const [path, operations] of Object.entries<Record<string, any>>(document.paths)) {
      for (const [method, { summary, requestBody }] of Object.entries(operations)) {
        expect([method, path, summary]).toEqual([method, path, expect.stringMatching(/^[A-Z].{5}/)]);
        if (requestBody === undefined) continue;
        const { examples, schema } = requestBody.content['application/json'];
        const named = document.components.schemas[/\w+$/.exec(schema.$ref)![0]].properties;
        const body: unknown = examples
          ? Object.values<{ value: unknown }>(examples)[0]!.value
          : Object.fromEntries(Object.entries<any>(named).map(([name, { example }]) => [name, example]));
        const headers = { ...key, 'Content-Type': 'application/json' };
        const answer = await request(port, { path, headers, body: JSON.stringify(body) });
        expect([path, answer.status]).toEqual([path, path === '/notes' ? 201 : 200]);
        prefilled++;
      }
    }
    expect(prefilled).toBe(5);
  });

  test('its examples of problems are what it answers', async () => {
    const { port, key } = plain();
    const document = (await request(port, { path: '/docs-json' })).json();
    const exampleOf = (status: number) => {
      const { example } = document.paths['/me'].get.responses[status].content['application/problem+json'];
      expect(example.requestId).toMatch(/^[\w-]{36}$/);
      return { ...example, requestId: expect.any(String) as unknown };
    };
    expect((await request(port, { path: '/me' })).json()).toEqual(exampleOf(401));
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => request(port, { path: '/me', headers: key })),
    );
    expect(answers.find(({ status }) => status === 429)?.json()).toEqual(exampleOf(429));
  });

  test('tools: results, rejected inputs, unknown names', async () => {
    const { port } = withKeys();
    const key = keyOf('tools');
    const run = async (name: string, body: object) => {
      const answer = await request(port, {
        path: `/tools/${name}/run`,
        headers: { ...key, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      return [answer.status, answer.json()] as const;
    };
    expect(await run('calculator', { input: '2 * (3 + 4) - -1 / 4' })).toEqual([
      200,
      { tool: 'calculator', output: { result: 14.25 } },
    ]);
    expect(await run('text-statistics', { input: 'Agents retry. Servers remember.' })).toEqual([
      200,
      { tool: 'text-statistics', output: { characters: 31, words: 4, sentences: 2 } },
    ]);
    expect(await run('current-time', { input: 'Europe/Zurich' })).toMatchObject([
      200,
      { output: { zone: 'Europe/Zurich' } },
    ]);
    expect(await run('calculator', { input: 'process.exit()' })).toMatchObject([
      400,
      { code: 'bad_request', detail: 'The tool rejected its input: "p" is not arithmetic' },
    ]);
    expect(await run('calculator', { input: '', more: 1 })).toMatchObject([
      400,
      {
        code: 'validation_failed',
        errors: ['property more should not exist', expect.stringMatching(/^input must be/)],
      },
    ]);
  });

  test('a note is written, deleted once, and a rejected call has not run', async () => {
    const { port } = withKeys();
    const key = keyOf('notes');
    const send = (method: string, path: string, body?: object) =>
      request(port, {
        method,
        path,
        headers: body === undefined ? key : { ...key, 'Content-Type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
    expect((await send('POST', '/notes', { text: 'Sleep' })).json()).toEqual({ id: 4, text: 'Sleep' });
    const statuses: number[] = [];
    for (const id of [4, 4, 9, 8, 7, 1]) statuses.push((await send('DELETE', `/notes/${id}`)).status);
    expect(statuses).toEqual([200, 404, 404, 404, 404, 429]);
    const { notes } = (await send('GET', '/notes')).json() as { notes: { id: number }[] };
    expect(notes.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test('an unknown tool is a 404', async () => {
    const { port, key } = ample();
    const answer = await request(port, {
      path: '/tools/nothing/run',
      headers: { ...key, 'Content-Type': 'application/json' },
      body: '{"input":"1"}',
    });
    expect([answer.status, answer.json().code]).toEqual([404, 'not_found']);
  });

  test('an answer streams over SSE, and goes on behind Last-Event-ID', async () => {
    const { port } = ample();
    const stream = async (headers: Record<string, string>): Promise<[number, string[]]> => {
      const answer = await request(port, { path: '/answers/stream?prompt=What+is+6*7%3F', headers });
      return [answer.status, [...answer.body.matchAll(/^(?:id|event|data): .*$/gm)].map(([line]) => line)];
    };
    const [status, whole] = await stream({});
    expect(status).toBe(200);
    expect(whole.slice(0, 4)).toEqual(['id: 1', 'data: {"text":"I "}', 'id: 2', 'data: {"text":"asked "}']);
    expect(whole.slice(-3)).toEqual(['event: done', 'id: 999999', 'data: {}']);
    expect(whole).toContain('data: {"text":"42."}');
    expect(await stream({ 'Last-Event-ID': '2' })).toEqual([200, whole.slice(4)]);
    expect(await stream({ 'Last-Event-ID': '999999' })).toEqual([200, whole.slice(-3)]);
  });

  test('a prompt that cannot be answered is rejected before the stream begins', async () => {
    const { port } = ample();
    const answer = await request(port, { path: '/answers/stream?prompt=1%2F%2F2' });
    expect([answer.status, answer.header('Content-Type')]).toEqual([400, 'application/problem+json']);
  });

  test('an answer streams to fetch, line by line', async () => {
    const { port } = ample();
    const answer = await fetch(`http://127.0.0.1:${port}/answers`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"prompt":"hello you"}',
    });
    expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await answer.text()).trimEnd().split('\n');
    const parts = lines.map(line => JSON.parse(line) as { position: number; text: string });
    expect(parts.map(({ position }) => position)).toEqual(parts.map((_part, index) => index + 1));
    expect(parts.map(({ text }) => text).join('')).toBe(
      'I found nothing to calculate, so I counted: your prompt has 2 words in 9 characters.',
    );
  });

  test('the probe answers for any host and without limits, and nothing else does', async () => {
    const { port } = ample();
    const probe = await request(port, { path: '/healthz', headers: { Host: '10.0.0.7' } });
    expect([probe.status, probe.body, probe.header('RateLimit')]).toEqual([
      200,
      '{"status":"ok"}',
      undefined,
    ]);
    expect((await request(port, { path: '/tools', headers: { Host: '10.0.0.7' } })).status).toBe(421);
  });

  test('reads .env of the directory it is started in', async () => {
    const { port, text } = withFile();
    expect(text).toContain(`Agent API on ${platform}`);
    expect((await request(port, { path: '/tools' })).status).toBe(421);
    const answer = await request(port, { path: '/tools', headers: { Host: 'api.example.com' } });
    expect(answer.header('RateLimit-Policy')).toBe('"30-per-minute";q=30;w=60');
  });

  whereThereIsOne('in a browser', () => {
    test('Swagger UI loads, lists the tools and runs one, and its policy is never violated', async () => {
      const { chromium: browserType } = await import('playwright-core');
      const { port } = ample();
      const browser = await browserType.launch({ executablePath: chromium!, args: ['--no-sandbox'] });
      try {
        const page = await browser.newPage();
        const complaints: string[] = [];
        page.on('console', message => {
          if (message.type() === 'error') complaints.push(message.text());
        });
        page.on('pageerror', error => complaints.push(String(error)));
        await page.goto(`http://127.0.0.1:${port}/docs`);
        await page
          .getByRole('button', { name: /get.*\/tools/i })
          .first()
          .click();
        await page.getByRole('button', { name: 'Try it out' }).click();
        await page.getByRole('button', { name: 'Execute' }).click();
        await page.getByText('"calculator"').first().waitFor();
        expect(complaints).toEqual([]);
      } finally {
        await browser.close();
      }
    }, 60_000);
  });

  test('shuts down at once, also with a stream open', async () => {
    const sample = withFile();
    const stream = get({
      port: sample.port,
      path: '/answers/stream?prompt=hello',
      headers: { Host: 'api.example.com' },
    });
    const [answer] = (await once(stream, 'response')) as [IncomingMessage];
    await once(answer, 'data');
    const ended = new Promise(settle => answer.on('error', () => {}).once('close', settle));
    sample.process.kill('SIGTERM');
    expect(await sample.exit).toEqual({ code: null, signal: 'SIGTERM' });
    await ended;
    expect(answer.complete).toBe(false);
  });
});

describe('bad configuration ends it with one line and status 1', () => {
  it.each([
    ['a limit', { RATE_LIMIT: '5/m' }, /^Bad configuration: RATE_LIMIT .* \[ASEC_LIMIT_SYNTAX\]\n$/],
    [
      'a host',
      { ALLOWED_HOSTS: 'https://api.example.com' },
      /^Bad configuration: ALLOWED_HOSTS\[0\] .* \[ASEC_HOST_SCHEME\]\n$/,
    ],
    [
      'an origin',
      { CORS_ORIGINS: 'app.example.com' },
      /^Bad configuration: CORS_ORIGINS\[0\] .* \[ASEC_ORIGIN_INVALID\]\n$/,
    ],
    ['proxies', { TRUST_PROXY: 'true' }, /^Bad configuration: TRUST_PROXY .* \[ASEC_TRUST_ALL\]\n$/],
    [
      'the platform',
      { PLATFORM: 'koa' },
      /^Bad configuration: PLATFORM must be express or fastify, received "koa"\.\n$/,
    ],
    [
      'the port',
      { PORT: '99999' },
      /^Bad configuration: PORT must be a whole number from 0 to 65535, received "99999"\.\n$/,
    ],
    ['the delay', { TOKEN_DELAY_MS: '-1' }, /^Bad configuration: TOKEN_DELAY_MS must be .*\n$/],
  ])('%s', async (_title, env, line) => {
    const run = promisify(execFile)(process.execPath, [MAIN], { cwd: scratch, env: { ...CLEAN, ...env } });
    const failure = await run.then(
      () => undefined,
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
    expect(failure).toMatchObject({ code: 1, stdout: '' });
    expect(failure!.stderr).toMatch(line);
  });
});

test('.env.example names every variable that is read, and no other', () => {
  const sources = ['sample/agent-api/src', 'src'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .map(name => readFileSync(join(ROOT, folder, name), 'utf8')),
  );
  const read = sources.flatMap(text =>
    [...text.matchAll(/(?:\benv\(|\benv\[|process\.env\[|Variable\(env, )'([A-Z_]+)'/g)].map(
      ([, name]) => name!,
    ),
  );
  expect(variablesOf(readExample()).toSorted()).toEqual([...new Set(read)].toSorted());
});
