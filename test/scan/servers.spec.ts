/* Servers of other frameworks and subtle mistakes, written by hand: what a scan must find of them, and what it must not. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { idsIn, runScan, scanJson, type ScanJson } from '../support/scan.js';

const open: Server[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise(done => server.close(done));
  }
});

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

async function serve(handler: Handler): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => handler(request, response, ++count));
  open.push(server);
  await new Promise<void>(listening => void server.listen(0, '127.0.0.1', listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const scan = async (handler: Handler, ...more: string[]): Promise<ScanJson> =>
  scanJson(await serve(handler), { bounds: { requestMs: 1_000 } }, ...more);

const HTML = { 'Content-Type': 'text/html' };
const isPage = ({ method, url }: IncomingMessage): boolean => method === 'GET' && url!.split('?')[0] === '/';
/** A page at `/`, and 404 elsewhere. */
const page =
  (headers: (request: IncomingMessage) => Record<string, string> = () => ({})): Handler =>
  (request, response) =>
    response.writeHead(isPage(request) ? 200 : 404, headers(request)).end('{}');
const always =
  (status: number, headers = {}): Handler =>
  (_request, response) =>
    response.writeHead(status, headers).end('{}');
/** @param allowed how many requests of a key get a page */
const limit = (
  allowed: number,
  refuse: (response: ServerResponse) => void,
  keyOf: (request: IncomingMessage) => string = () => '',
): Handler => {
  const counts = new Map<string, number>();
  return (request, response) => {
    const key = keyOf(request);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (counts.get(key)! > allowed) refuse(response);
    else page()(request, response, 0);
  };
};
const get429 = (response: ServerResponse): void =>
  void response.writeHead(429, { 'Retry-After': '3600' }).end();
const keyOf =
  (header: string) =>
  ({ headers }: IncomingMessage): string =>
    String(headers[header]);
const fail =
  (stack: string): Handler =>
  (request, response) =>
    response.writeHead(isPage(request) ? 200 : 500).end(stack);

test.each<[title: string, handler: Handler, ids: readonly string[]]>([
  [
    'a single-page app that serves its page for every path and method',
    always(200, HTML),
    ['ASEC-S040', 'ASEC-S041'],
  ],
  [
    'a server of files that knows no POST',
    (request, response) =>
      response.writeHead(request.method === 'POST' ? 405 : isPage(request) ? 200 : 404).end(),
    ['ASEC-S036'],
  ],
  [
    'a server that implements GET alone',
    (request, response) =>
      response.writeHead(request.method === 'GET' ? (isPage(request) ? 200 : 404) : 501).end(),
    ['ASEC-S036', 'ASEC-S042'],
  ],
  [
    'an API that answers 401 to everything',
    always(401, { 'WWW-Authenticate': 'Bearer' }),
    ['ASEC-S036', 'ASEC-S041', 'ASEC-S045', 'ASEC-S070'],
  ],
  ['an API without a page at the path', always(404), ['ASEC-S041', 'ASEC-S045', 'ASEC-S070']],
  ['a proxy whose server is down', always(502), ['ASEC-S042']],
  ['a limit that answers 503', limit(90, response => void response.writeHead(503).end()), ['ASEC-S080']],
  ['a limit that resets connections', limit(90, response => void response.destroy()), ['ASEC-S080']],
  [
    'the RateLimit of an older draft',
    page(() => ({ RateLimit: 'limit=100, remaining=99, reset=900' })),
    ['ASEC-S080', 'ASEC-S081'],
  ],
  [
    'the X-Rate-Limit of Bucket4j and AspNetCoreRateLimit',
    page(() => ({ 'X-Rate-Limit-Remaining': '900' })),
    ['ASEC-S080', 'ASEC-S081'],
  ],
  [
    'metadata with the public URL of a deployment',
    (request, response) => {
      if (!request.url!.startsWith('/.well-known/oauth')) return page()(request, response, 0);
      const issuer = 'https://api.example.com';
      response
        .writeHead(200, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ issuer, resource: issuer }));
    },
    ['ASEC-S100'],
  ],
])('does not report what %s is not guilty of', async (_title, handler, ids) => {
  const found = idsIn(await scan(handler));
  expect(ids.filter(id => found.includes(id))).toEqual([]);
});

test.each<[title: string, id: string, handler: Handler]>([
  ...['x-real-ip', 'cf-connecting-ip', 'true-client-ip', 'forwarded'].map(
    header =>
      [`a limit that believes ${header}`, 'ASEC-S084', limit(90, get429, keyOf(header))] as [
        string,
        string,
        Handler,
      ],
  ),
  ['a limit by any bearer token', 'ASEC-S085', limit(90, get429, keyOf('authorization'))],
  ['a stack of Java', 'ASEC-S052', fail('java.lang.Error: x\n\tat com.example.App.run(App.java:1)')],
  ['a stack of Java in JSON', 'ASEC-S052', fail('{"trace":"java.lang.Error\\n\\tat com.example.App"}')],
  ['a stack of .NET', 'ASEC-S052', fail('System.Exception: x\r\n   at App.Run() in /src/App.cs:line 1')],
  ['a stack of Python', 'ASEC-S052', fail('Traceback (most recent call last):\n  File "/app/a.py"')],
  ['a stack of Ruby', 'ASEC-S052', fail("app/controllers/a_controller.rb:12:in `index'")],
  ['a stack of PHP', 'ASEC-S052', fail('Stack trace:\n#0 /var/www/a.php(12): b()')],
  ['a stack in HTML', 'ASEC-S052', fail('Error: x<br> &nbsp; &nbsp;at run (/app/dist/a.js:1:1)')],
  [
    'a link of the page to the forwarded host',
    'ASEC-S023',
    (request, response) =>
      response.end(isPage(request) ? `https://${request.headers['x-forwarded-host']}/` : '{}'),
  ],
  [
    'preflights that grant every origin',
    'ASEC-S034',
    (request, response) =>
      response
        .writeHead(204, request.method === 'OPTIONS' ? { 'Access-Control-Allow-Origin': '*' } : {})
        .end(),
  ],
  ...['{"toString":1,"valueOf":1}', `${'['.repeat(50_000)}${']'.repeat(50_000)}`].map(
    issuer =>
      [
        'metadata that cannot become text',
        'ASEC-S100',
        (request, response) =>
          request.url!.startsWith('/.well-known/oauth')
            ? response.writeHead(200, { 'Content-Type': 'application/json' }).end(`{"issuer":${issuer}}`)
            : page()(request, response, 0),
      ] as [string, string, Handler],
  ),
])('finds %s: %s', async (_title, id, handler) => {
  expect(idsIn(await scan(handler))).toContain(id);
});

test.each(['text', 'json', 'sarif', 'junit', 'github'])(
  'what a server sends reaches no terminal or log as control characters: %s',
  async format => {
    const hostile = '\u009b31m\u0085::error::x<b>&]]>\u00ad';
    const url = await serve(page(() => ({ 'X-Powered-By': hostile, Server: `1${hostile}` })));
    const { out } = await runScan([url, '--format', format]);
    expect(out).toContain('31m');
    expect(out).not.toMatch(/[\u007f-\u009f\u00ad]/);
  },
);

test.each(['text', 'json', 'sarif', 'junit', 'github'])(
  'the query of the URL stays out of the report: %s',
  async format => {
    const url = await serve((_request, response) => response.writeHead(404).end());
    const { out } = await runScan([
      `${url}tools?api_key=s3cret`,
      '--format',
      format,
      '--mcp',
      '/mcp?key=s3cret',
    ]);
    expect(out).toContain('/tools?...');
    expect(out).not.toContain('s3cret');
  },
);

test.each<[title: string, handler: Handler]>([
  ['404', page()],
  ['a page', always(200, HTML)],
])('a path that is no MCP endpoint, but answers %s, is not graded as one', async (_title, handler) => {
  const { scan: grades, notes, findings } = await scan(handler, '--mcp', '/mcp');
  expect(notes.join()).toMatch(/--mcp answers \d+ and no message of MCP/);
  expect(grades.sections.map(({ section }) => section)).not.toContain('mcp');
  expect(findings.filter(({ id }) => id.startsWith('ASEC-S09'))).toEqual([]);
});

test('a server that answers once is not reported', async () => {
  const url = await serve((_request, response, count) => {
    if (count > 1) response.destroy();
    else response.end('{}');
  });
  expect(await runScan([url])).toMatchObject({
    status: 2,
    out: '',
    err: expect.stringMatching(/stopped answering/),
  });
});

test('a silenced finding is not fixed', async () => {
  const url = await serve(page());
  const { writeFileSync, mkdtempSync, rmSync } = await import('node:fs');
  const folder = mkdtempSync('/tmp/scan-');
  writeFileSync(`${folder}/before.json`, (await runScan([url, '--format', 'json'])).out);
  const { out } = await runScan([url, '--compare', `${folder}/before.json`, '--silence', 'ASEC-S020=known']);
  rmSync(folder, { recursive: true });
  expect(out).toContain('\nfixed: 0\n');
});
