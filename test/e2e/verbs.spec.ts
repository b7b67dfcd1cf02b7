/* Verbs of the app's own: POST with X-HTTP-Method-Override. */
import { Controller, Get, HttpCode, Param, Post, All } from '@nestjs/common';
import { AgentTool, type AuditLine, AuditTrail, RateLimit, Verb } from '../../src/index.js';
import { type Answer, exchange } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

let ran: string[] = [];
beforeEach(() => {
  ran = [];
});

@Controller('documents')
class Documents {
  @Get(':id')
  read(@Param('id') id: string): object {
    ran.push(`read ${id}`);
    return {};
  }

  @Post(':id')
  change(@Param('id') id: string): object {
    ran.push(`change ${id}`);
    return {};
  }

  @Verb('SUMMARIZE', ':id')
  @RateLimit('2/minute')
  summarize(@Param('id') id: string): object {
    ran.push(`summarize ${id}`);
    return {};
  }

  @Verb('TRANSLATE', ':id')
  @AgentTool('translate')
  @HttpCode(202)
  translate(@Param('id') id: string): object {
    ran.push(`translate ${id}`);
    return {};
  }
}

@Controller('other')
class Other {
  @Post()
  plain(): object {
    ran.push('other');
    return {};
  }

  @All('all')
  all(): object {
    ran.push('all');
    return {};
  }
}

describe.each(PLATFORMS)('verbs on %s', (_title, platform) => {
  it('writes an audit record of a call under its verb', async () => {
    const lines: AuditLine[] = [];
    const sink = { name: 'test', write: async (more: readonly AuditLine[]) => void lines.push(...more) };
    const app = await start(platform, { controllers: [Documents], options: { audit: { sinks: [sink] } } });
    const headers = { 'X-HTTP-Method-Override': 'TRANSLATE' };
    expect((await app.send('/documents/5', { method: 'POST', headers })).status).toBe(202);
    await app.app.get(AuditTrail).flush();
    expect(lines.map(({ record }) => [record.tool, record.verb, record.outcome])).toEqual([
      ['translate', 'TRANSLATE', 'ok'],
    ]);
  });

  const launch = (): Promise<RunningApp> =>
    start(platform, {
      controllers: [Documents, Other],
      options: { cors: { origins: ['https://app.test'] }, rateLimit: { limits: false } },
    });
  const post = (app: RunningApp, verb?: string, path = '/documents/5', method = 'POST'): Promise<Answer> =>
    app.send(path, { method, headers: verb === undefined ? {} : { 'X-HTTP-Method-Override': verb } });

  it.each<[verb: string | undefined, status: number, handler: string]>([
    [undefined, 201, 'change 5'],
    ['SUMMARIZE', 200, 'summarize 5'],
    ['TRANSLATE', 202, 'translate 5'],
  ])('%s: %d by its own handler', async (verb, status, handler) => {
    const app = await launch();
    expect([(await post(app, verb)).status, ran]).toEqual([status, [handler]]);
  });

  it.each(['DELETE', 'PUT', 'GET', 'POST', 'summarize', 'SUMMARIZE, TRANSLATE', 'NOPE', '', '__proto__'])(
    'X-HTTP-Method-Override: %s: 405, and no handler',
    async verb => {
      const app = await launch();
      const answer = await post(app, verb);
      expect([answer.status, ran]).toEqual([405, []]);
      expect(answer.header('allow')).toBe(
        'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, SUMMARIZE, TRANSLATE',
      );
      expect(answer.json()).toMatchObject({ code: 'method_not_allowed' });
    },
  );

  it.each(['GET', 'PUT', 'DELETE', 'HEAD'])('goes with POST, not with %s', async method => {
    const app = await launch();
    expect([(await post(app, 'SUMMARIZE', '/documents/5', method)).status, ran]).toEqual([405, []]);
  });

  it.each(['/other', '/other/all'])('runs no handler of %s, which has no such verb', async path => {
    const app = await launch();
    expect([(await post(app, 'SUMMARIZE', path)).status, ran]).toEqual([404, []]);
    expect((await post(app, undefined, path)).status).toBeLessThan(300);
  });

  it.each([
    ['?_method=SUMMARIZE', 'application/json', '{}'],
    ['', 'application/x-www-form-urlencoded', '_method=SUMMARIZE'],
    ['', 'application/json', '{"_method":"SUMMARIZE"}'],
  ])('is not named by a query or a body: %s %s', async (query, type, body) => {
    const app = await launch();
    await app.send(`/documents/5${query}`, { body, headers: { 'Content-Type': type } });
    expect(ran).toEqual(['change 5']);
  });

  it('is rejected to a form and a page of another origin', async () => {
    const app = await launch();
    const answer = await app.send('/documents/5', {
      method: 'POST',
      headers: { Origin: 'https://evil.test', 'X-HTTP-Method-Override': 'SUMMARIZE' },
    });
    expect([answer.status, ran]).toEqual([403, []]);
  });

  it('shows in a preflight', async () => {
    const app = await launch();
    const preflight = await app.send('/documents/5', {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://app.test',
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'x-http-method-override',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.header('access-control-allow-headers')!.split(', ')).toContain('X-HTTP-Method-Override');
  });

  it('has the limit of its own handler', async () => {
    const app = await launch();
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await post(app, 'SUMMARIZE')).status);
    statuses.push((await post(app, 'TRANSLATE')).status, (await post(app)).status);
    expect(statuses).toEqual([200, 200, 429, 202, 201]);
  });

  it.each(['SUMMARIZE', 'NOPE', 'post', 'evil-marker'])(
    'of the request line %s: the 400 says how to send it',
    async method => {
      const app = await launch();
      const { answers, text } = await exchange(
        app.port,
        `${method} /documents/5 HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      );
      expect([answers[0]!.status, answers[0]!.json().code]).toEqual([400, 'request_malformed']);
      expect(answers[0]!.json().detail).toMatch(/POST with X-HTTP-Method-Override: SUMMARIZE or TRANSLATE\./);
      expect(text).not.toContain('evil-marker');
      expect(answers[0]!.header('x-content-type-options')).toBe('nosniff');
      expect(ran).toEqual([]);
    },
  );

  it('of a request line are not recommended where the app has none', async () => {
    const app = await start(platform, { controllers: [Other] });
    const { answers } = await exchange(app.port, 'SUMMARIZE /other HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(answers[0]!.json().detail).toMatch(/declares no verb for X-HTTP-Method-Override/);
  });

  it('means nothing where the app has no verb', async () => {
    const app = await start(platform, {
      controllers: [Other],
      options: { cors: { origins: ['https://app.test'] } },
    });
    expect([(await post(app, 'DELETE', '/other')).status, ran]).toEqual([201, ['other']]);
    const preflight = await app.send('/other', {
      method: 'OPTIONS',
      headers: { Origin: 'https://app.test', 'Access-Control-Request-Method': 'POST' },
    });
    expect(preflight.header('access-control-allow-headers')).not.toContain('X-HTTP-Method-Override');
  });
});

it.each(['DELETE', 'GET', 'PROPFIND', 'summarize', 'A', '', 'TWO WORDS', 'A,B'])(
  '@Verb(%j) is no verb',
  verb => {
    expect(() => Verb(verb)).toThrow(/ASEC_METHOD_NAME/);
  },
);
