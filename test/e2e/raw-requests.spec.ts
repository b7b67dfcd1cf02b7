/* Requests that no well-behaved client sends, byte for byte over a socket. */
import { Body, Controller, Get, Post } from '@nestjs/common';
import { loadCases } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { type PlatformName, PLATFORMS } from '../support/platforms.js';
import { type RunningApp, startShared } from '../support/start.js';

let ran: string[] = [];
beforeEach(() => {
  ran = [];
});

@Controller()
class Routes {
  @Get()
  root(): string {
    ran.push('root');
    return 'root';
  }

  @Get('public')
  public(): string {
    ran.push('public');
    return 'public';
  }

  @Get('admin')
  admin(): string {
    ran.push('admin');
    return 'admin';
  }

  @Post('echo')
  echo(@Body() body: unknown): object {
    ran.push('echo');
    return { body: body ?? null };
  }
}

/** Not tested here. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'slow-headers': 'in timeouts.spec.ts',
};

interface Expectation {
  /** Of the answers, in their order. */
  readonly statuses: readonly number[];
  readonly ran: readonly string[];
  /** Whether the server closes behind them; else a last request on the same connection must be answered. */
  readonly closes: boolean;
}

const rejected = (...statuses: number[]): Expectation => ({ statuses, ran: [], closes: true });
const rejectedOpen = (status: number): Expectation => ({ statuses: [status], ran: [], closes: false });
const served = (...ran: string[]): Expectation => ({ statuses: [200], ran, closes: false });

/** Fastify writes Node's own error response after an answer that was given on the headers alone. */
const byPlatform = (express: Expectation, fastify: Expectation): Record<PlatformName, Expectation> => ({
  Express: express,
  Fastify: fastify,
});

const EXPECTED: Readonly<Record<string, Expectation | Record<PlatformName, Expectation>>> = {
  'two-hosts-same': rejectedOpen(400),
  'host-empty': rejectedOpen(400),
  'abs-uri-evil': rejectedOpen(400),
  'abs-uri-good-host-evil': rejectedOpen(400),
  'lf-only': rejected(400),
  'bad-method': rejected(400),
  'unknown-method': rejected(400),
  'lowercase-method': rejected(400),
  // Node closes the connection without a word.
  connect: rejected(),
  'options-star': rejectedOpen(404),
  'tls-hello': rejected(400),
  'te-cl': rejected(400),
  'dup-cl-different': rejected(400),
  'cl-list': rejected(400),
  'cl-plus': rejected(400),
  'cl-empty': rejected(400),
  'cl-huge': rejected(400),
  'cl-1e9': rejected(413),
  'te-identity': rejected(400),
  'te-xchunked': rejected(400),
  'te-chunked-twice': rejected(400),
  'te-vtab': rejected(400),
  // Without a Content-Type no parser waits for the body, so that Fastify answers before the body proves malformed.
  'chunk-bad-size': byPlatform(rejected(400), rejected(415)),
  'chunk-lf': byPlatform(rejected(400), rejected(415)),
  'get-body': served('root'),
  'pipeline-host-switch': { statuses: [200, 421], ran: ['public'], closes: false },
  'expect-unknown': rejectedOpen(417),
  'hdr-17k': rejected(431),
  'url-17k': rejected(431),
  'dup-auth': rejectedOpen(400),
  // 401 where `auth` is on; here it is off, and the duplicate field is rejected.
  'dup-apikey': rejectedOpen(400),
  'dup-reqid': served('root'),
  // Ignored: the POST of /admin has no route, and its DELETE is not requested.
  'method-override': rejectedOpen(404),
  'ce-unknown': rejectedOpen(415),
};

/** Tested below, one by one. */
const SEPARATE = new Set(['ws-upgrade', 'http-2.0-version']);

/** The table shortens long texts. */
function bytesOf(id: string, raw: string): string {
  if (id === 'hdr-17k') return `GET / HTTP/1.1\r\nHost: api.test\r\nX-A: ${'a'.repeat(17_000)}\r\n\r\n`;
  if (id === 'url-17k') return `GET /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: api.test\r\n\r\n`;
  return raw;
}

/** A last request on the same connection: what it answers, and after what, shows where the one before was thought to end. */
const LAST = 'GET /public HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n';

describe.each(PLATFORMS)('raw requests on %s', (_title, platform) => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startShared(platform, {
      controllers: [Routes],
      options: { hosts: ['api.test'], rateLimit: false },
    });
  });

  const rows = loadCases('raw-requests').cases.filter(({ id }) => !(id in LEFT_OUT));
  const tested = rows.filter(({ id }) => !SEPARATE.has(id));

  it('has an expectation for every row', () => {
    expect([...Object.keys(EXPECTED), ...SEPARATE].toSorted()).toEqual(rows.map(({ id }) => id).toSorted());
  });

  it.each(tested.map(row => [row.id, row.expect, row] as const))('%s: %s', async (id, _expect, { raw }) => {
    const entry = EXPECTED[id]!;
    const { statuses, ran: handlers, closes } = 'statuses' in entry ? entry : entry[platform.name];
    const bytes = bytesOf(id, raw);
    const exchanged = await exchange(app.port, closes ? bytes : bytes + LAST);
    expect(exchanged.answers.map(({ status }) => status)).toEqual(closes ? statuses : [...statuses, 200]);
    expect(ran).toEqual(closes ? handlers : [...handlers, 'public']);
    expect(exchanged.closed).toBe(true);
  });

  it('ws-upgrade: an ordinary answer, never 101', async () => {
    const { raw } = rows.find(({ id }) => id === 'ws-upgrade')!;
    const { answers, text } = await exchange(app.port, raw, 1);
    expect(answers.map(({ status }) => status)).toEqual([200]);
    expect(text).not.toContain('HTTP/1.1 101');
  });

  it('http-2.0-version: rejected before its handler', async () => {
    const { raw } = rows.find(({ id }) => id === 'http-2.0-version')!;
    const { answers } = await exchange(app.port, raw, 1);
    expect([answers.map(({ status }) => status), ran]).toEqual([[505], []]);
  });

  it('expect-unknown: the rejection is a problem with the headers of every response', async () => {
    const { raw } = rows.find(({ id }) => id === 'expect-unknown')!;
    const { answers } = await exchange(app.port, raw, 1);
    const [answer] = answers;
    expect(answer!.header('x-frame-options')).toBe('DENY');
    expect(answer!.json()).toMatchObject({ status: 417, requestId: answer!.header('x-request-id') });
  });

  it('dup-reqid: the two are replaced', async () => {
    const { raw } = rows.find(({ id }) => id === 'dup-reqid')!;
    const { answers } = await exchange(app.port, raw, 1);
    expect(answers[0]!.header('x-request-id')).toMatch(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/);
  });

  it.each([
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: api.test\r\nCookie: secret\r\nConnection: close\r\n\r\n', 405],
    ['TRACE in another case', 'trace / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n', 400],
    [
      'a header named __proto__',
      'GET / HTTP/1.1\r\nHost: api.test\r\n__proto__: x\r\nConnection: close\r\n\r\n',
      200,
    ],
    [
      'a header named constructor',
      'GET / HTTP/1.1\r\nHost: api.test\r\nconstructor: x\r\nConnection: close\r\n\r\n',
      200,
    ],
    [
      'an Origin line twice',
      'POST /echo HTTP/1.1\r\nHost: api.test\r\nOrigin: https://api.test\r\nOrigin: https://evil.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
      403,
    ],
    ['HTTP/1.0 without a Host', 'GET / HTTP/1.0\r\n\r\n', 400],
    ['HTTP/1.0 with a Host', 'GET / HTTP/1.0\r\nHost: api.test\r\n\r\n', 200],
    [
      'a Host line folded into the next',
      'GET / HTTP/1.1\r\nHost: api.test\r\n evil.test\r\nConnection: close\r\n\r\n',
      400,
    ],
  ])('%s', async (_what, bytes, status) => {
    const { answers, text } = await exchange(app.port, bytes);
    expect(answers.map(answer => answer.status)).toEqual([status]);
    expect(text).not.toContain('secret');
  });
});
