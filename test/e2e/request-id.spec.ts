import { Controller, Get, HttpException, Req } from '@nestjs/common';
import { RequestId } from '../../src/index.js';
import { loadCases } from '../fixtures/load-cases.js';
import { exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start, startShared } from '../support/start.js';

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

@Controller()
class Routes {
  @Get('id')
  id(@RequestId() id: string, @Req() request: { id: string; raw?: { id: string } }): object {
    return { parameter: id, request: request.id, raw: request.raw?.id ?? request.id };
  }

  @Get('fails')
  fails(): never {
    throw new Error('unforeseen');
  }

  @Get('teapot')
  teapot(): never {
    throw new HttpException('short and stout', 418);
  }
}

describe.each(PLATFORMS)('the request ID on %s', (_title, platform) => {
  describe('the table of cases', () => {
    let app: RunningApp;
    beforeAll(async () => {
      app = await startShared(platform, { controllers: [Routes], options: { rateLimit: false } });
    });

    // What the documented form says of the rows that are a matter of choice.
    const FORM = /^[\w.:@+=-]{1,128}$/;
    const rows = loadCases('request-ids').cases.map(row => {
      const kept = row.expect === 'either' ? FORM.test(row.header) : row.expect === 'accept';
      return [row.id, JSON.stringify(row.header.slice(0, 60)), kept ? 'kept' : 'replaced', row] as const;
    });

    it.each(rows)('%s %s: %s', async (_id, _value, expected, { header }) => {
      const { answers } = await exchange(
        app.port,
        `GET /fails HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: ${header}\r\nConnection: close\r\n\r\n`,
      );
      const [answer] = answers;
      const id = answer!.header('x-request-id')!;
      expect(expected === 'kept' ? id : id === header ? 'kept' : 'replaced').toBe(
        expected === 'kept' ? header : 'replaced',
      );
      expect(expected === 'kept' || UUID.test(id)).toBe(true);
      expect(answer!.json().requestId).toBe(id);
    });
  });

  it.each([
    ['two lines', 'X-Request-ID: a\r\nX-Request-ID: b'],
    ['two equal lines', 'X-Request-ID: same\r\nx-request-id: same'],
    ['a tab', 'X-Request-ID: evil\tmarker'],
    ['a C1 control', 'X-Request-ID: evil\x85marker'],
    ['five thousand characters', `X-Request-ID: ${'evilmarker'.repeat(500)}`],
    ['markup', 'X-Request-ID: <script>evilmarker</script>'],
    ['an empty value', 'X-Request-ID: '],
    ['a lookup of a logger', 'X-Request-ID: ${jndi:ldap://evilmarker}'],
    ['an escape sequence', 'X-Request-ID: \x1b[31mevilmarker'],
  ])('is replaced for %s, and the raw value reaches no log', async (_what, line) => {
    const app = await start(platform, { controllers: [Routes] });
    const { answers } = await exchange(
      app.port,
      `GET /fails HTTP/1.1\r\nHost: localhost\r\n${line}\r\nConnection: close\r\n\r\n`,
    );
    // Control characters other than a tab are already rejected by Node's parser.
    const [answer] = answers;
    expect([answer!.status, line.includes('\x1b')]).toEqual(
      line.includes('\x1b') ? [400, true] : [500, false],
    );
    expect(answer!.status === 400 || UUID.test(answer!.header('x-request-id')!)).toBe(true);
    expect(app.logger.text).not.toContain('evil');
    expect(answer!.body).not.toContain('evil');
  });

  it('is one and the same in the parameter, on the request and in the header', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const kept = await app.send('/id', { headers: { 'X-Request-ID': 'req-42' } });
    expect(kept.json()).toEqual({ parameter: 'req-42', request: 'req-42', raw: 'req-42' });
    expect(kept.header('x-request-id')).toBe('req-42');
    const made = await app.send('/id');
    const id = made.header('x-request-id')!;
    expect(id).toMatch(UUID);
    expect(made.json()).toEqual({ parameter: id, request: id, raw: id });
  });

  it('differs between requests of one connection', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const one = 'GET /id HTTP/1.1\r\nHost: localhost\r\n';
    const { answers } = await exchange(app.port, `${one}\r\n${one}Connection: close\r\n\r\n`);
    const ids = answers.map(answer => answer.header('x-request-id'));
    expect(new Set(ids).size).toBe(2);
  });

  it('stands in the log line of an unforeseen error', async () => {
    const app = await start(platform, { controllers: [Routes] });
    await app.send('/fails', { headers: { 'X-Request-ID': 'req-42' } });
    expect(app.logger.find('req-42', 'error').map(({ text }) => text.includes('unforeseen'))).toEqual([true]);
  });

  it.each<[string, object, Record<string, string>, string, RegExp]>([
    ['header', { header: 'X-Correlation-ID' }, { 'X-Correlation-ID': 'abc' }, 'x-correlation-id', /^abc$/],
    ['accept: false', { accept: false }, { 'X-Request-ID': 'abc' }, 'x-request-id', UUID],
    ['accept: a pattern', { accept: /^\d+$/ }, { 'X-Request-ID': '12' }, 'x-request-id', /^12$/],
    [
      'accept: a pattern that does not match',
      { accept: /^\d+$/ },
      { 'X-Request-ID': 'abc' },
      'x-request-id',
      UUID,
    ],
    ['accept: a pattern of anything', { accept: /.*/ }, { 'X-Request-ID': 'a b' }, 'x-request-id', UUID],
    ['generate', { generate: () => 'made' }, {}, 'x-request-id', /^made$/],
    ['generate of something unsafe', { generate: () => 'a\nb' }, {}, 'x-request-id', UUID],
  ])('takes the option %s', async (_what, requestId, headers, name, expected) => {
    const app = await start(platform, { controllers: [Routes], options: { requestId } });
    const answer = await app.send('/teapot', { headers });
    expect(answer.header(name)).toMatch(expected);
    expect(answer.json().requestId).toBe(answer.header(name));
  });

  it('a pattern with g takes every ID, not every other', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { requestId: { accept: /^abc$/g } },
    });
    const ids: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      ids.push((await app.send('/id', { headers: { 'X-Request-ID': 'abc' } })).header('x-request-id'));
    }
    expect(ids).toEqual(['abc', 'abc', 'abc']);
  });

  it('is that of the response where another listener of the server has set one', async () => {
    const { app, send } = await start(platform, { controllers: [Routes] });
    app.getHttpServer().prependListener('request', (request: { id?: string }) => (request.id = 'other'));
    const answer = await send('/id');
    const id = answer.header('x-request-id');
    expect(answer.json()).toEqual({ parameter: id, request: id, raw: id });
  });

  it('is off with requestId: false', async () => {
    const app = await start(platform, { controllers: [Routes], options: { requestId: false } });
    const answer = await app.send('/teapot', { headers: { 'X-Request-ID': 'abc' } });
    expect(answer.all('x-request-id')).toEqual([]);
    expect(answer.json()).not.toHaveProperty('requestId');
  });
});
