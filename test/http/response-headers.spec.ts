import {
  createServer,
  get,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type Server,
  ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { RequestState } from '../../src/common/request-state.js';
import {
  compileHeaderTemplate,
  type HeaderPair,
  type HeaderTemplateParts,
} from '../../src/common/header-template.js';
import { attachState } from '../../src/http/response-headers.js';

const COMMON: readonly HeaderPair[] = [
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
];
const PARTS: HeaderTemplateParts = {
  requestIdHeader: 'X-Request-ID',
  kinds: {
    page: [...COMMON, ['Content-Security-Policy', 'page']],
    data: [...COMMON, ['Content-Security-Policy', 'api']],
    untyped: [...COMMON, ['Content-Security-Policy', 'untyped']],
    notModified: COMMON,
  },
  strictTransportSecurity: 'max-age=1',
  removePoweredBy: true,
  noStore: true,
  noStoreOnErrors: true,
  varyByOrigin: true,
};

type Handler = (response: ServerResponse) => void;
type Received = Readonly<Record<string, readonly string[]>>;

let server: Server | undefined;
afterEach(() => new Promise<void>(resolve => (server ? server.close(() => resolve()) : resolve())));

/** What a client receives of a response that `handler` writes: every line of each header. */
async function receive(
  handler: Handler,
  parts: Partial<HeaderTemplateParts> = {},
  change?: (state: RequestState) => void,
  writeHead?: ServerResponse['writeHead'],
): Promise<Received> {
  const template = compileHeaderTemplate({ ...PARTS, ...parts });
  server = createServer((request, response) => {
    const state = new RequestState(template, writeHead ?? response.writeHead);
    state.id = 'id-1';
    change?.(state);
    attachState(response, request, state);
    handler(response);
  });
  await new Promise<void>(resolve => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject);
  });
  message.resume();
  const lines: Record<string, string[]> = {};
  for (let index = 0; index < message.rawHeaders.length; index += 2) {
    (lines[message.rawHeaders[index]!.toLowerCase()] ??= []).push(message.rawHeaders[index + 1]!);
  }
  return lines;
}

const DEFAULTS = {
  'x-request-id': ['id-1'],
  'x-frame-options': ['DENY'],
  'cross-origin-resource-policy': ['same-origin'],
  'content-security-policy': ['untyped'],
  'cache-control': ['no-store'],
  vary: ['Origin'],
};

describe('the headers of a response', () => {
  const ways: [title: string, handler: Handler][] = [
    ['end alone', response => response.end()],
    ['write', response => void (response.write('a'), response.end())],
    ['setHeader', response => void (response.setHeader('X-Own', '1'), response.end())],
    ['writeHead', response => void response.writeHead(200).end()],
    ['writeHead with a reason', response => void response.writeHead(200, 'Fine').end()],
    ['writeHead with an object', response => void response.writeHead(200, { 'X-Own': '1' }).end()],
    [
      'writeHead with a reason and an object',
      response => void response.writeHead(200, 'Fine', { 'X-Own': '1' }).end(),
    ],
    ['writeHead with a flat list', response => void response.writeHead(200, ['X-Own', '1']).end()],
    [
      'writeHead with pairs',
      response => void response.writeHead(200, [['X-Own', '1']] as unknown as OutgoingHttpHeader[]).end(),
    ],
    [
      'setHeader and writeHead',
      response => void (response.setHeader('X-A', '1'), response.writeHead(200, { 'X-Own': '1' }).end()),
    ],
    ['flushHeaders', response => void (response.flushHeaders(), response.end('a'))],
    ['an error', response => void response.writeHead(500).end('x')],
    ['no content', response => void response.writeHead(204).end()],
  ];
  it.each(ways)('are there once: %s', async (_title, handler) => {
    expect(await receive(handler)).toMatchObject(DEFAULTS);
  });

  type Own = [title: string, name: string, value: string | string[], header: string, expected: string[]];
  const own: Own[] = [
    ['a header of its own wins', 'X-Frame-Options', 'SAMEORIGIN', 'x-frame-options', ['SAMEORIGIN']],
    ['in any case', 'x-FRAME-options', 'SAMEORIGIN', 'x-frame-options', ['SAMEORIGIN']],
    ['a policy of its own wins', 'Content-Security-Policy', 'own', 'content-security-policy', ['own']],
    ['a cache policy of its own wins', 'Cache-Control', 'max-age=60', 'cache-control', ['max-age=60']],
    ['Vary is added to', 'Vary', 'Accept', 'vary', ['Accept, Origin']],
    ['Vary: Origin stays', 'Vary', 'origin', 'vary', ['origin']],
    ['Vary: * stays', 'Vary', '*', 'vary', ['*']],
    ['several cookies stay several', 'Set-Cookie', ['a=1', 'b=2'], 'set-cookie', ['a=1', 'b=2']],
    [
      'HTML has its own policy',
      'Content-Type',
      'text/html; charset=utf-8',
      'content-security-policy',
      ['page'],
    ],
    ['XHTML has it too', 'Content-Type', 'application/xhtml+xml', 'content-security-policy', ['page']],
    ...[
      'text/javascript; charset=utf-8',
      'application/javascript',
      'TEXT/ECMAScript',
      'application/x-javascript',
      'text/jscript',
    ].map((type): Own => [`${type} has it too`, 'Content-Type', type, 'content-security-policy', ['page']]),
    ...['application/json', 'text/javascript-like', 'application/jscript', 'text/css'].map((type): Own => [
      `${type} has not`,
      'Content-Type',
      type,
      'content-security-policy',
      ['api'],
    ]),
    ['text has that of data', 'Content-Type', 'text/htmlx', 'content-security-policy', ['api']],
    [
      'a problem has no charset',
      'Content-Type',
      'application/problem+json; charset=utf-8',
      'content-type',
      ['application/problem+json'],
    ],
  ];
  it.each(own)('%s', async (_title, name, value, header, expected) => {
    const fast = await receive(response => void response.writeHead(200, { [name]: value }).end());
    await new Promise<void>(resolve => server!.close(() => resolve()));
    const general = await receive(response => void (response.setHeader(name, value), response.end()));
    expect([fast[header], general[header]]).toEqual([expected, expected]);
  });

  it('drop X-Powered-By, Server, and the ETag of an error', async () => {
    const headers = await receive(
      response => void response.writeHead(404, { 'X-Powered-By': 'x', Server: 'x', ETag: '"a"' }).end(),
    );
    expect([headers['x-powered-by'], headers['server'], headers['etag']]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('keep the ETag of a 200', async () => {
    expect((await receive(response => void response.writeHead(200, { ETag: '"a"' }).end()))['etag']).toEqual([
      '"a"',
    ]);
  });

  it('force no-store with @NoStore()', async () => {
    for (const handler of [
      (response: ServerResponse) => void response.writeHead(200, { 'Cache-Control': 'public' }).end(),
      (response: ServerResponse) => void (response.setHeader('Cache-Control', 'public'), response.end()),
    ]) {
      expect((await receive(handler, { noStore: 'force' }))['cache-control']).toEqual(['no-store']);
      await new Promise<void>(resolve => server!.close(() => resolve()));
    }
  });

  it('send HSTS over HTTPS only', async () => {
    expect((await receive(response => response.end()))['strict-transport-security']).toBeUndefined();
    await new Promise<void>(resolve => server!.close(() => resolve()));
    const secure = (state: RequestState): void => void (state.client = { ...state.client, secure: true });
    expect((await receive(response => response.end(), {}, secure))['strict-transport-security']).toEqual([
      'max-age=1',
    ]);
  });

  it('let an allowed origin read, whatever another middleware reflects', async () => {
    const grant = (state: RequestState): void => {
      state.cors.grantHeaders = ['Access-Control-Allow-Origin', 'https://app.test'];
    };
    for (const handler of [
      (response: ServerResponse) =>
        void response.writeHead(200, { 'access-control-allow-origin': '*' }).end(),
      (response: ServerResponse) =>
        void (response.setHeader('Access-Control-Allow-Origin', '*'), response.end()),
    ]) {
      const headers = await receive(handler, {}, grant);
      expect([headers['access-control-allow-origin'], headers['cross-origin-resource-policy']]).toEqual([
        ['https://app.test'],
        ['cross-origin'],
      ]);
      await new Promise<void>(resolve => server!.close(() => resolve()));
    }
  });

  const foreign: [title: string, sent: Record<string, string>][] = [
    [
      'a reflected origin',
      { 'Access-Control-Allow-Origin': 'https://evil.test', 'Access-Control-Allow-Credentials': 'true' },
    ],
    ['every origin', { 'access-control-allow-origin': '*' }],
    [
      'what a preflight may send',
      {
        'Access-Control-Allow-Methods': '*',
        'Access-Control-Allow-Headers': '*',
        'Access-Control-Max-Age': '60',
        'Access-Control-Allow-Private-Network': 'true',
        'Access-Control-Expose-Headers': '*',
      },
    ],
  ];
  it.each(foreign)('leave nothing of what others say of CORS: %s', async (_title, sent) => {
    for (const handler of [
      (response: ServerResponse) => void response.writeHead(200, sent).end(),
      (response: ServerResponse) => void response.writeHead(200, 'Fine', sent).end(),
      (response: ServerResponse) => void response.writeHead(200, Object.entries(sent).flat()).end(),
      (response: ServerResponse) => {
        for (const [name, value] of Object.entries(sent)) response.setHeader(name, value);
        response.end();
      },
    ]) {
      const names = async (parts: Partial<HeaderTemplateParts>): Promise<string[]> => {
        const headers = await receive(handler, parts);
        await new Promise<void>(resolve => server!.close(() => resolve()));
        return Object.keys(headers).filter(name => name.startsWith('access-control-'));
      };
      expect(await names({})).toEqual([]);
      expect(await names({ varyByOrigin: false })).toHaveLength(Object.keys(sent).length);
    }
  });

  type Caching = Pick<HeaderTemplateParts, 'noStore' | 'noStoreOnErrors'>;
  const caching: [title: string, parts: Caching, status: number, kept: boolean][] = [
    ['are kept on an answer', { noStore: true, noStoreOnErrors: true }, 200, true],
    ['are kept on a redirect', { noStore: true, noStoreOnErrors: true }, 301, true],
    ['are replaced on a client error', { noStore: true, noStoreOnErrors: true }, 404, false],
    ['are replaced on a server error', { noStore: true, noStoreOnErrors: true }, 500, false],
    ['are replaced on an error alone', { noStore: false, noStoreOnErrors: true }, 404, false],
    ['are kept where errors are excepted', { noStore: false, noStoreOnErrors: false }, 404, true],
  ];
  it.each(caching)("a handler's cache headers %s", async (_title, parts, status, kept) => {
    const sent = {
      'cache-control': 'public, max-age=60',
      'CDN-Cache-Control': 'max-age=60',
      'Cloudflare-CDN-Cache-Control': 'max-age=60',
      'Surrogate-Control': 'max-age=60',
      Expires: 'Thu, 01 Jan 2099 00:00:00 GMT',
    };
    for (const handler of [
      (response: ServerResponse) => void response.writeHead(status, sent).end(),
      (response: ServerResponse) => void response.writeHead(status, Object.entries(sent).flat()).end(),
      (response: ServerResponse) => {
        for (const [name, value] of Object.entries(sent)) response.setHeader(name, value);
        response.writeHead(status).end();
      },
    ]) {
      const headers = await receive(handler, parts);
      await new Promise<void>(resolve => server!.close(() => resolve()));
      const cached = Object.entries(sent).map(([name, value]) => [name.toLowerCase(), [value]]);
      const actual = cached.map(([name]) => [name, headers[name as string]]);
      expect(actual).toEqual(
        kept ? cached : cached.map(([name]) => [name, name === 'cache-control' ? ['no-store'] : undefined]),
      );
    }
  });

  it.each([404, 500])('a %i has no-store where only errors have it', async status => {
    for (const type of ['text/html', 'application/json']) {
      const headers = await receive(
        response => void response.writeHead(status, { 'Content-Type': type }).end(),
        { noStore: false, noStoreOnErrors: true },
      );
      await new Promise<void>(resolve => server!.close(() => resolve()));
      expect(headers['cache-control']).toEqual(['no-store']);
    }
  });

  it('carry the quota once, and let a handler’s own stand', async () => {
    const quota = (state: RequestState): void =>
      void (state.limits.quotaHeaders = ['X-RateLimit-Limit', '10', 'Retry-After', '1']);
    for (const handler of [
      (response: ServerResponse) => void response.writeHead(429, { 'retry-after': '7' }).end(),
      (response: ServerResponse) => void (response.setHeader('Retry-After', '7'), response.end()),
    ]) {
      const headers = await receive(handler, {}, quota);
      expect([headers['x-ratelimit-limit'], headers['retry-after']]).toEqual([['10'], ['7']]);
      await new Promise<void>(resolve => server!.close(() => resolve()));
    }
  });

  describe('carry the lines of a quota', () => {
    const lines = (state: RequestState): void =>
      void (state.limits.quotaLines = 'X-RateLimit-Limit: 10\r\nRateLimit: "a: b";r=1\r\n');
    const replace = (state: RequestState): void => {
      lines(state);
      state.limits.quotaHeaders = [...state.limits.quotaHeaders!.slice(0, 2), 'Retry-After', '1'];
    };
    const plain: Handler = response => void response.writeHead(200).end();
    /** A header that conflicts, so that the headers are set one by one. */
    const conflicting: Handler = response => void (response.setHeader('Vary', 'Accept'), response.end());

    it.each([
      ['as text', plain, lines, [['10'], ['"a: b";r=1'], undefined]],
      ['one by one', conflicting, lines, [['10'], ['"a: b";r=1'], undefined]],
      ['as text, unless pairs replace them', plain, replace, [['10'], undefined, ['1']]],
      ['one by one, unless pairs replace them', conflicting, replace, [['10'], undefined, ['1']]],
    ])('%s', async (_title, handler, change, expected) => {
      const headers = await receive(handler, {}, change);
      expect(['x-ratelimit-limit', 'ratelimit', 'retry-after'].map(name => headers[name])).toEqual(expected);
    });
  });

  it('are sent when another response replaces one that Node rejected', async () => {
    const headers = await receive(response => {
      expect(() => response.writeHead(200, { 'X-Own': 'a\r\nb' })).toThrow('X-Own');
      response.writeHead(500).end();
    });
    expect(headers).toMatchObject(DEFAULTS);
    expect(headers['x-own']).toBeUndefined();
  });

  it('are there with a header that makes Node send the head at once', async () => {
    expect(await receive(response => void response.writeHead(200, { Expect: 'x' }).end())).toMatchObject(
      DEFAULTS,
    );
  });

  const pairs = ['X-Late', '1\r\nX-Forged: 1', 'X-Later', '1'];
  const forgeries: Record<string, (state: RequestState) => void> = {
    quota: state => void (state.limits.quotaHeaders = pairs),
    grant: state => void (state.cors.grantHeaders = pairs),
    rejection: state => void (state.rejectionHeaders = pairs),
  };
  it.each(Object.keys(forgeries))('let no line of a %s begin another', async part => {
    const forge = forgeries[part]!;
    for (const handler of [
      (response: ServerResponse) => void response.writeHead(200).end(),
      (response: ServerResponse) => void (response.setHeader('Vary', 'Accept'), response.end()),
    ]) {
      const headers = await receive(handler, {}, forge);
      expect([headers['x-late'], headers['x-forged'], headers['x-later']]).toEqual([
        undefined,
        undefined,
        ['1'],
      ]);
      await new Promise<void>(resolve => server!.close(() => resolve()));
    }
  });

  it('are rejected at start-up where a header cannot have them', () => {
    const parts = (pair: [string, string]): HeaderTemplateParts => ({
      ...PARTS,
      kinds: { ...PARTS.kinds, data: [pair] },
    });
    expect(() => compileHeaderTemplate(parts(['X-A', 'a\r\nX-B: b']))).toThrow('Invalid character');
    expect(() => compileHeaderTemplate(parts(['X A', 'a']))).toThrow('valid HTTP token');
  });

  it('are the same where Node writes the head and where a library does', async () => {
    const names = fc.constantFrom(
      'Vary',
      'cache-control',
      'Content-Type',
      'X-Own',
      'ETag',
      'Retry-After',
      'X-Powered-By',
      'Set-Cookie',
      'Access-Control-Allow-Origin',
      'Access-Control-Allow-Credentials',
      'Access-Control-Max-Age',
      'Cross-Origin-Resource-Policy',
      'Content-Security-Policy',
      'x-request-id',
      'Connection',
    );
    const values = fc.constantFrom(
      '*',
      'Origin',
      'true',
      'no-store',
      'text/html; charset=utf-8',
      'application/problem+json; a=b',
      '',
    );
    const headers = fc.dictionary(names, values, { maxKeys: 4 });
    const states = fc.record({
      grant: fc.constantFrom(undefined, ['Access-Control-Allow-Origin', 'https://app.test']),
      quota: fc.constantFrom(undefined, ['Retry-After', '1', 'RateLimit', '"a";r=1']),
      rejectionHeaders: fc.constantFrom(undefined, ['WWW-Authenticate', 'Bearer realm="a"']),
      unreadable: fc.boolean(),
      id: fc.constantFrom('', 'id-1'),
    });
    const wrapped: ServerResponse['writeHead'] = function (this: ServerResponse, ...args: unknown[]) {
      return ServerResponse.prototype.writeHead.apply(this, args as [number]);
    };
    await fc.assert(
      fc.asyncProperty(
        headers,
        headers,
        states,
        fc.constantFrom(200, 204, 304, 404),
        async (set, written, parts, status) => {
          const answer = async (way?: ServerResponse['writeHead']): Promise<Received> => {
            const received = await receive(
              response => {
                for (const [name, value] of Object.entries(set)) response.setHeader(name, value);
                response.writeHead(status, written).end('body');
              },
              {},
              state => void Object.assign(state, parts),
              way,
            );
            await new Promise<void>(resolve => server!.close(() => resolve()));
            return { ...received, date: [] };
          };
          expect(await answer()).toEqual(await answer(wrapped));
        },
      ),
      { numRuns: 300 },
    );
  });
});
