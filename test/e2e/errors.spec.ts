import {
  BadGatewayException,
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  ForbiddenException,
  Get,
  HttpException,
  type MessageEvent,
  Param,
  Post,
  Res,
  ServiceUnavailableException,
  Sse,
  ValidationPipe,
} from '@nestjs/common';
import { IsEmail, IsInt, Max } from 'class-validator';
import { concat, type Observable, of, throwError } from 'rxjs';
import { DETAIL_OF_5XX } from '../../src/common/problem.js';
import { exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

class SignUp {
  @IsEmail()
  email!: string;

  @IsInt()
  @Max(150)
  age!: number;
}

/** What a handler throws, by the last part of its path. */
const THROWN: Readonly<Record<string, () => unknown>> = {
  'plain-error': () => new Error('secret-detail'),
  text: () => 'secret-detail',
  undefined: () => undefined,
  null: () => null,
  number: () => 404,
  object: () => ({ statusCode: 404, message: 'secret-detail' }),
  'object-with-status': () => Object.assign(new Error('secret-detail'), { status: 400 }),
  'bad-gateway': () => new BadGatewayException('secret-detail'),
  unavailable: () => new ServiceUnavailableException({ message: 'secret-detail', database: 'secret-detail' }),
  conflict: () => new ConflictException('already there'),
  'own-code': () =>
    new ConflictException({
      code: 'seat_taken',
      detail: 'Seat 4 is taken.',
      seat: 4,
      type: 'https://x.example/seat',
    }),
  'own-reserved': () =>
    new BadRequestException({
      status: 200,
      title: 'fine',
      requestId: 'forged',
      stack: 'secret-detail',
      message: 'no',
    }),
  'own-message-object': () => new HttpException({ anything: ['a'] }, 422),
  teapot: () => new HttpException('short and stout', 418),
  'odd-status': () => new HttpException('secret-detail', 999),
  'with-cause': () => new ForbiddenException('not yours', { cause: new Error('secret-detail') }),
  'no-prototype': () => Object.create(null),
  'with-reason': () =>
    new ServiceUnavailableException('no database', { cause: new Error('connection refused') }),
  'without-message': () => new ServiceUnavailableException({ queue: 'full' }),
  'own-429': () => new HttpException({ message: 'Too many attempts', retry_after_seconds: 12.3 }, 429),
  'own-429-final': () =>
    new HttpException({ message: 'Never again', retry_after_seconds: 60, retryable: false }, 429),
  'own-503': () =>
    new ServiceUnavailableException({
      message: 'secret-detail',
      retry_after_seconds: 30,
      a: 'secret-detail',
    }),
  'odd-wait': () => new HttpException({ message: 'x', retry_after_seconds: '1\r\nX: 1' }, 429),
  'endless-wait': () => new ServiceUnavailableException({ retry_after_seconds: Infinity }),
  'negative-wait': () => new ServiceUnavailableException({ retry_after_seconds: -1 }),
  'own-500': () => new HttpException({ retry_after_seconds: 5 }, 500),
  unhealthy: () =>
    new ServiceUnavailableException({
      status: 'error',
      info: { memory: { status: 'up' } },
      error: { database: { status: 'down', message: 'timeout' } },
      details: { memory: { status: 'up' }, database: { status: 'down', message: 'timeout' } },
    }),
  200: () => new HttpException({ done: true }, 200),
  202: () => new HttpException('accepted', 202),
  204: () => new HttpException('', 204),
  302: () => new HttpException('moved', 302),
  304: () => new HttpException('', 304),
  100: () => new HttpException('', 100),
  lines: () => 'one\ntwo',
  'getter-that-throws': () =>
    Object.defineProperty({}, 'status', {
      enumerable: true,
      get() {
        throw new Error('secret-detail');
      },
    }),
};

@Controller()
class Routes {
  @Post('sign-up')
  signUp(@Body(new ValidationPipe()) body: SignUp): object {
    return body;
  }

  @Get('throw/:what')
  throw(@Res({ passthrough: true }) response: any): never {
    const path: string = (response.req ?? response.request).url;
    throw THROWN[path.split('/').at(-1)!]!();
  }

  @Get('busy')
  busy(@Res({ passthrough: true }) response: any): never {
    (response.raw ?? response).setHeader('Retry-After', '7');
    throw new ServiceUnavailableException({ retry_after_seconds: 30 });
  }

  @Get('late')
  late(@Res() response: any): never {
    const raw = response.raw ?? response;
    raw.writeHead(200, { 'Content-Type': 'text/plain' });
    raw.write('begun');
    throw new Error('secret-detail after the headers');
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return concat(
      of({ data: 'one' }),
      throwError(() => new Error('secret-detail of the stream')),
    );
  }

  @Sse('events/:what')
  eventsThenError(@Param('what') what: string): Observable<MessageEvent> {
    return concat(
      of({ data: 'one' }),
      throwError(() => THROWN[what]!()),
    );
  }

  @Sse('no-events/:what')
  noEvents(@Param('what') what: string): Observable<MessageEvent> {
    return throwError(() => THROWN[what]!());
  }
}

describe.each(PLATFORMS)('errors on %s', (_title, platform) => {
  it('keeps the details of a validation', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/sign-up', {
      body: '{"email":"x","age":200}',
      headers: { 'Content-Type': 'application/json' },
    });
    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: expect.stringMatching(/not valid/),
      code: 'validation_failed',
      requestId: answer.header('x-request-id'),
      errors: ['email must be an email', 'age must not be greater than 150'],
    });
  });

  it.each<[string, number, object]>([
    ['plain-error', 500, { code: 'internal_error' }],
    ['text', 500, { code: 'internal_error' }],
    ['undefined', 500, { code: 'internal_error' }],
    ['null', 500, { code: 'internal_error' }],
    ['number', 500, { code: 'internal_error' }],
    ['object', 500, { code: 'internal_error' }],
    ['object-with-status', 500, { code: 'internal_error' }],
    ['bad-gateway', 502, { code: 'bad_gateway' }],
    ['unavailable', 503, { code: 'service_unavailable' }],
    ['odd-status', 500, { code: 'internal_error' }],
    ['with-cause', 403, { code: 'forbidden', detail: 'not yours' }],
    ['conflict', 409, { code: 'conflict', detail: 'already there', type: 'about:blank' }],
    [
      'own-code',
      409,
      { code: 'seat_taken', detail: 'Seat 4 is taken.', seat: 4, type: 'https://x.example/seat' },
    ],
    ['own-reserved', 400, { title: 'Bad Request', detail: 'no' }],
    ['own-message-object', 422, { code: 'unprocessable_entity', anything: ['a'] }],
    ['teapot', 418, { code: 'im_a_teapot', detail: 'short and stout' }],
    ['no-prototype', 500, { code: 'internal_error' }],
    ['getter-that-throws', 500, { code: 'internal_error' }],
  ])('answers a thrown %s with %d', async (what, status, members) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send(`/throw/${what}`);
    expect(answer.status).toBe(status);
    expect(answer.all('content-type')).toEqual(['application/problem+json']);
    expect(answer.json()).toMatchObject({ status, requestId: answer.header('x-request-id'), ...members });
    expect(answer.body + answer.lines.join()).not.toContain('secret-detail');
    expect(answer.body).not.toMatch(/\bat \w|\.ts\b|forged/);
  });

  it.each([
    ['an error', 'plain-error', 1],
    ['a text', 'text', 1],
    ['undefined', 'undefined', 1],
    ['an object without a prototype', 'no-prototype', 1],
    ['an HttpException', 'bad-gateway', 1],
    ['a status that is no error status', 'odd-status', 1],
    ["a client's mistake", 'conflict', 0],
  ])('logs %s with the ID: %s', async (_what, path, times) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send(`/throw/${path}`);
    const entries = app.logger.find(answer.header('x-request-id')!, 'error');
    expect(entries.length).toBe(times);
  });

  it.each([
    ['the message and the cause of a deliberate 503', 'with-reason', /no database.*connection refused/],
    ['the body of a 503 without a message', 'without-message', /queue.*full/],
  ])('logs %s', async (_what, path, reason) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send(`/throw/${path}`);
    const [entry] = app.logger.find(answer.header('x-request-id')!, 'error');
    expect(entry!.message).toMatch(reason);
    expect(answer.body).not.toMatch(reason);
  });

  it.each([
    ['own-429', 429, { retryable: true, retry_after_seconds: 13 }, '13'],
    ['own-429-final', 429, { retryable: false, retry_after_seconds: 60 }, '60'],
    ['own-503', 503, { retryable: true, retry_after_seconds: 30 }, '30'],
    ['odd-wait', 429, {}, undefined],
    ['endless-wait', 503, {}, undefined],
    ['negative-wait', 503, {}, undefined],
    ['own-500', 500, {}, undefined],
  ])('a thrown %s tells when to try again', async (what, status, members, retryAfter) => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send(`/throw/${what}`);
    expect(answer.status).toBe(status);
    expect(answer.header('retry-after')).toBe(retryAfter);
    expect(answer.json()).toMatchObject(members);
    expect('retryable' in answer.json()).toBe(retryAfter !== undefined);
    expect(answer.body).not.toContain('secret-detail');
  });

  it('keeps the Retry-After that a handler has set', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/busy');
    expect(answer.all('retry-after')).toEqual(['7']);
  });

  it.each(['200', '202', '204', '302', '304', 'unhealthy'])('sends a thrown %s as Nest does', async what => {
    const [app, plain] = [
      await start(platform, { controllers: [Routes] }),
      await start(platform, { controllers: [Routes], security: false }),
    ];
    const [answer, expected] = [await app.send(`/throw/${what}`), await plain.send(`/throw/${what}`)];
    expect([answer.status, answer.body]).toEqual([expected.status, expected.body]);
    for (const name of ['content-type', 'content-length', 'location', 'etag'])
      expect([name, answer.all(name)]).toEqual([
        name,
        what === 'unhealthy' && name === 'etag' ? [] : expected.all(name),
      ]);
    expect(answer.header('x-request-id')).toMatch(/./);
    expect(app.logger.find(answer.header('x-request-id')!)).toEqual([]);
  });

  it('answers a thrown 100 with 500', async () => {
    const app = await start(platform, { controllers: [Routes] });
    expect((await app.send('/throw/100')).status).toBe(500);
  });

  it('hides the body of a health check with exposeMessages: false, and logs it', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { errors: { exposeMessages: false } },
    });
    const answer = await app.send('/throw/unhealthy');
    expect(answer.json()).toMatchObject({ status: 503, code: 'service_unavailable' });
    expect(answer.body).not.toContain('timeout');
    expect(app.logger.find(answer.header('x-request-id')!, 'error').length).toBe(1);
  });

  it('logs a thrown text on one line', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/throw/lines');
    const [entry] = app.logger.find(answer.header('x-request-id')!, 'error');
    expect(entry!.message.split('\n').length).toBe(1);
  });

  it('logs the stack of an unforeseen error', async () => {
    const app = await start(platform, { controllers: [Routes] });
    await app.send('/throw/plain-error');
    const [entry] = app.logger.find('secret-detail', 'error');
    expect(entry!.text).toMatch(/\n\s+at .*errors\.spec/);
  });

  describe('exposeMessages: false', () => {
    it.each([
      ['/throw/conflict', 409, 'conflict'],
      ['/throw/own-code', 409, 'conflict'],
      ['/throw/teapot', 418, 'im_a_teapot'],
    ])('%s says the status and nothing else', async (path, status, code) => {
      const app = await start(platform, {
        controllers: [Routes],
        options: { errors: { exposeMessages: false } },
      });
      const answer = await app.send(path);
      expect(answer.json()).toEqual({
        type: 'about:blank',
        title: expect.any(String),
        status,
        code,
        requestId: expect.any(String),
      });
    });
  });

  it.each([
    ['a 404', '/nowhere', 'not_found'],
    ['a 500', '/throw/plain-error', 'internal_error'],
    ['an exception of the app', '/throw/conflict', 'conflict'],
  ])('prefixes typeBase to the code of %s', async (_what, path, code) => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { errors: { typeBase: 'https://api.example.com/problems/' } },
    });
    expect((await app.send(path)).json().type).toBe(`https://api.example.com/problems/${code}`);
  });

  it('prefixes typeBase to the code of a rejected host too', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: { errors: { typeBase: 'https://api.example.com/problems/' } },
    });
    const answer = await app.send('/', { headers: { Host: 'evil.example' } });
    expect(answer.json().type).toBe('https://api.example.com/problems/host_not_allowed');
  });

  it('leaves the type of the limit its registered name', async () => {
    const app = await start(platform, {
      controllers: [Routes],
      options: {
        errors: { typeBase: 'https://api.example.com/problems/' },
        rateLimit: { limits: '1/minute' },
      },
    });
    await app.send('/throw/conflict');
    expect((await app.send('/throw/conflict')).json().type).toBe(
      'https://iana.org/assignments/http-problem-types#quota-exceeded',
    );
  });

  it.each(['GET', 'POST', 'DELETE', 'OPTIONS'])('a 404 to %s does not echo the path', async method => {
    const app = await start(platform, { controllers: [Routes] });
    const answer = await app.send('/evil-marker?evil-marker=<script>', { method });
    expect(answer.status).toBe(404);
    expect(answer.body + answer.lines.join()).not.toContain('evil-marker');
  });

  it('ends an answer that had begun when its handler failed, and logs why', async () => {
    const app = await start(platform, { controllers: [Routes] });
    const { text } = await exchange(
      app.port,
      'GET /late HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: late-1\r\nConnection: close\r\n\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    expect(text).toContain('begun');
    expect(text).not.toContain('secret-detail');
    expect(app.logger.find('late-1', 'error').length).toBe(1);
    expect((await app.send('/throw/conflict')).status).toBe(409);
  });

  describe('a broken event stream', () => {
    it('has its reason logged and not sent', async () => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/events');
      expect(answer.status).toBe(200);
      expect(answer.body).toContain('data: one');
      expect(answer.body).not.toContain('secret-detail');
      expect(answer.body).toContain('event: error');
      expect(app.logger.find('secret-detail of the stream', 'error').length).toBe(1);
      const id = answer.header('x-request-id')!;
      expect(app.logger.find(id, 'error')).toEqual(app.logger.find('secret-detail of the stream', 'error'));
    });

    it.each([
      ['plain-error', true, DETAIL_OF_5XX],
      ['own-503', true, DETAIL_OF_5XX],
      ['text', true, DETAIL_OF_5XX],
      ['conflict', true, 'already there'],
      ['conflict', false, 'Conflict'],
    ])('ends with what a response would show: %s, exposeMessages %p', async (what, exposeMessages, data) => {
      const app = await start(platform, { controllers: [Routes], options: { errors: { exposeMessages } } });
      const { body } = await app.send(`/events/${what}`);
      expect(body).toContain(`event: error\nid: 2\ndata: ${data}\n`);
      expect(body).not.toContain('secret-detail');
    });

    it('is a problem if it has no event', async () => {
      const app = await start(platform, { controllers: [Routes] });
      const answer = await app.send('/no-events/conflict');
      expect([answer.status, answer.json()]).toMatchObject([409, { code: 'conflict' }]);
    });

    it('has the message that Nest sends with errors: false', async () => {
      await start(platform, { controllers: [Routes] });
      const app = await start(platform, { controllers: [Routes], options: { errors: false } });
      const { body } = await app.send('/events/own-503');
      expect(body).toContain('data: secret-detail\n');
    });
  });

  it('is off with errors: false, and Nest answers as it does alone', async () => {
    const app = await start(platform, { controllers: [Routes], options: { errors: false } });
    const answer = await app.send('/throw/conflict');
    expect(answer.json()).toEqual({ statusCode: 409, message: 'already there', error: 'Conflict' });
    expect(answer.header('content-type')).toMatch(/^application\/json/);
  });
});
