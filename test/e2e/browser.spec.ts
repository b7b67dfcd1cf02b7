/* What a real browser makes of the answers: Chromium, pages of an allowed and of a rejected origin, and Swagger UI. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { Body, Controller, Get, Header, Headers, HttpCode, Post, Sse, StreamableFile } from '@nestjs/common';
import { ApiProperty, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Browser, Page } from 'playwright-core';
import { concat, NEVER, of } from 'rxjs';
import { type AgentSecurityOptions, RateLimit } from '../../src/index.js';
import { describeInChromium, launchChromium, openPage, runIn as run } from '../support/chromium.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

/** What Swagger UI needs beyond the module's policy for HTML: it writes style elements, and its icons are data URLs. */
const SWAGGER_POLICY = { styleSrc: ["'self'", "'unsafe-inline'"], imgSrc: ["'self'", 'data:'] };

class RunTool {
  @ApiProperty({ example: 'weather' })
  name!: string;
}

let ran: unknown[] = [];
let release: () => void = () => undefined;

@Controller()
class ApiController {
  @Get('login')
  @Header('Set-Cookie', 'session=secret; Path=/')
  login(): object {
    return { ok: true };
  }

  @Get('whoami')
  whoami(@Headers('cookie') cookie: string): object {
    return { cookie };
  }

  @RateLimit('1/hour')
  @Get('limited')
  limited(): object {
    return { ok: true };
  }

  @Post('tools/run')
  @HttpCode(200)
  run(@Body() body: RunTool): object {
    ran.push(body ?? 'no body');
    return { ran: body };
  }

  @Sse('events')
  events(@Headers('last-event-id') lastId: string | undefined, @Headers('cookie') cookie: string) {
    return lastId === undefined
      ? of({ id: '41', data: `first ${cookie}`, retry: 1 })
      : concat(of({ id: '42', data: `after ${lastId} ${cookie}` }), NEVER);
  }

  @Get('stream')
  stream(): StreamableFile {
    const stream = new Readable({ read: () => undefined });
    stream.push('one');
    release = () => {
      stream.push('two');
      stream.push(null);
    };
    return new StreamableFile(stream);
  }

  @Get('release')
  release(): void {
    release();
  }

  @Get('page')
  @Header('Content-Type', 'text/html; charset=utf-8')
  page(): string {
    return '<!doctype html><title>none</title><script>window.inline = true</script><script src="/page.js"></script>';
  }

  @Get('page.js')
  @Header('Content-Type', 'text/javascript')
  script(): string {
    return 'window.fromFile = true';
  }
}

describeInChromium('browser.spec.ts').each(PLATFORMS)('Chromium and an app on %s', (_title, platform) => {
  let browser: Browser;
  const servers: Server[] = [];
  let allowed: string;
  let rejected: string;

  /** An empty page on a port of its own, which makes it an origin of its own. */
  async function serveOrigin(host: string): Promise<string> {
    const server = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>page</title>');
    });
    servers.push(server);
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return `http://${host}:${(server.address() as AddressInfo).port}`;
  }

  beforeAll(async () => {
    browser = await launchChromium();
    // One site, so that cookies go along; a rejected origin of the same site is the harder case.
    allowed = await serveOrigin('127.0.0.1');
    rejected = await serveOrigin('127.0.0.1');
  });
  afterAll(async () => {
    await browser?.close();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  async function startApi(options: AgentSecurityOptions = {}): Promise<{ app: RunningApp; api: string }> {
    ran = [];
    const app = await start(platform, {
      controllers: [ApiController],
      options: {
        cors: { origins: [allowed], credentials: true },
        rateLimit: { limits: '1000/second' },
        ...options,
      },
      configure: app => {
        const config = new DocumentBuilder().setTitle('Agent API').build();
        SwaggerModule.setup('docs', app, SwaggerModule.createDocument(app, config));
      },
    });
    return { app, api: `http://127.0.0.1:${app.port}` };
  }

  const open = (url: string) => openPage(browser, url);

  /** Fetches in a page: what its script can read, or that it can read nothing. */
  const fetchIn = (page: Page, url: string, init: object = {}): Promise<Record<string, unknown>> =>
    run(
      page,
      `try {
        const answer = await fetch(${JSON.stringify(url)}, ${JSON.stringify(init)});
        return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
      } catch (error) {
        return { blocked: error.name };
      }`,
    );

  it('an allowed origin reads the body with credentials', async () => {
    const { api } = await startApi();
    const { page } = await open(allowed);
    await fetchIn(page, `${api}/login`, { credentials: 'include' });
    expect(await fetchIn(page, `${api}/whoami`, { credentials: 'include' })).toMatchObject({
      status: 200,
      body: '{"cookie":"session=secret"}',
    });
  });

  it('an allowed origin reads the exposed headers, also of a 429', async () => {
    const { api } = await startApi();
    const { page } = await open(allowed);
    const first = await fetchIn(page, `${api}/limited`, { credentials: 'include' });
    expect(first).toMatchObject({ status: 200, headers: { 'x-ratelimit-remaining': '0' } });
    const second = await fetchIn(page, `${api}/limited`, { credentials: 'include' });
    expect(second).toMatchObject({
      status: 429,
      headers: {
        'retry-after': '3600',
        'x-ratelimit-limit': '1',
        ratelimit: '"1-per-hour";r=0;t=3600',
        'ratelimit-policy': '"1-per-hour";q=1;w=3600',
        'x-request-id': expect.stringMatching(/^[\w-]{36}$/) as unknown,
      },
      body: expect.stringContaining('"code":"rate_limited"') as unknown,
    });
  });

  it('an allowed origin sends what needs a preflight', async () => {
    const { api } = await startApi();
    const { page } = await open(allowed);
    const answer = await fetchIn(page, `${api}/tools/run`, {
      method: 'POST',
      credentials: 'include',
      headers: {
        'Content-Type': 'application/json',
        Authorization: 'Bearer x',
        'X-API-Key': 'x',
        'Idempotency-Key': 'x',
        'Mcp-Session-Id': 'x',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
      body: '{"name":"weather"}',
    });
    expect(answer).toMatchObject({ status: 200, body: '{"ran":{"name":"weather"}}' });
  });

  it('an allowed origin cannot send a header that is not allowed', async () => {
    const { api } = await startApi();
    const { page } = await open(allowed);
    const init = { method: 'POST', headers: { 'X-Not-Allowed': 'x' } };
    expect(await fetchIn(page, `${api}/tools/run`, init)).toEqual({ blocked: 'TypeError' });
    expect(ran).toHaveLength(0);
  });

  it('a rejected origin reads nothing', async () => {
    const { api } = await startApi();
    const { page } = await open(rejected);
    expect(await fetchIn(page, `${api}/whoami`)).toEqual({ blocked: 'TypeError' });
    expect(await fetchIn(page, `${api}/whoami`, { credentials: 'include' })).toEqual({
      blocked: 'TypeError',
    });
  });

  const SENT: readonly (readonly [title: string, init: object])[] = [
    ['a simple POST', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{"name":"x"}' }],
    ['an opaque POST', { method: 'POST', mode: 'no-cors', body: 'name=x' }],
    [
      'a POST that needs a preflight',
      { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"name":"x"}' },
    ],
  ];
  it.each(SENT)('a rejected origin does not run a handler by %s', async (_row, init) => {
    const { api } = await startApi();
    const { page } = await open(rejected);
    const answer = await fetchIn(page, `${api}/tools/run`, init);
    expect('blocked' in answer || answer['status'] === 0).toBe(true);
    expect(ran).toHaveLength(0);
  });

  it('a rejected origin does not run a handler by submitting a form', async () => {
    const { api } = await startApi();
    const { page } = await open(rejected);
    const navigated = page.waitForResponse(`${api}/tools/run`);
    await page.evaluate(`(() => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = ${JSON.stringify(`${api}/tools/run`)};
      document.body.append(form);
      form.submit();
    })()`);
    expect((await navigated).status()).toBe(403);
    expect(ran).toHaveLength(0);
  });

  it('an EventSource reads across origins with cookies, and resumes with Last-Event-ID', async () => {
    const { api } = await startApi();
    const { page } = await open(allowed);
    await fetchIn(page, `${api}/login`, { credentials: 'include' });
    const events = await run(
      page,
      `return new Promise(resolve => {
        const seen = [];
        const source = new EventSource(${JSON.stringify(`${api}/events`)}, { withCredentials: true });
        source.onmessage = event => {
          seen.push([event.lastEventId, event.data]);
          if (seen.length === 2) { source.close(); resolve(seen); }
        };
      });`,
    );
    expect(events).toEqual([
      ['41', 'first session=secret'],
      ['42', 'after 41 session=secret'],
    ]);
  });

  it('an EventSource of a rejected origin reads nothing', async () => {
    const { api } = await startApi();
    const { page } = await open(rejected);
    const state = await run(
      page,
      `return new Promise(resolve => {
        const source = new EventSource(${JSON.stringify(`${api}/events`)});
        source.onmessage = () => resolve('read');
        source.onerror = () => resolve(source.readyState);
      });`,
    );
    expect(state).toBe(2);
  });

  it('a fetched stream arrives in parts', async () => {
    const { api } = await startApi();
    const { page } = await open(allowed);
    // The second part is sent only when the page has read the first.
    const parts = await run(
      page,
      `const answer = await fetch(${JSON.stringify(`${api}/stream`)});
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const parts = [(await reader.read()).value];
      await fetch(${JSON.stringify(`${api}/release`)});
      parts.push((await reader.read()).value, (await reader.read()).done);
      return parts;`,
    );
    expect(parts).toEqual(['one', 'two', true]);
  });

  it('an HTML answer runs no script by default', async () => {
    const { api } = await startApi();
    const { page, complaints } = await open(`${api}/page`);
    expect(await run(page, 'return [!!window.inline, !!window.fromFile]')).toEqual([false, false]);
    expect(complaints).toHaveLength(2);
  });

  it('htmlContentSecurityPolicy: true lets an HTML answer run its own files and no inline script', async () => {
    const { api } = await startApi({ headers: { htmlContentSecurityPolicy: true } });
    const { page, complaints } = await open(`${api}/page`);
    expect(await run(page, 'return [!!window.inline, !!window.fromFile]')).toEqual([false, true]);
    expect(complaints).toEqual([expect.stringMatching(/inline script.*Content Security Policy/)]);
  });

  it('htmlContentSecurityPolicy decides what an HTML answer may run', async () => {
    const { api } = await startApi({
      headers: { htmlContentSecurityPolicy: { scriptSrc: ["'self'", "'unsafe-inline'"] } },
    });
    const { page, complaints } = await open(`${api}/page`);
    expect(await run(page, 'return [window.inline, window.fromFile]')).toEqual([true, true]);
    expect(complaints).toEqual([]);
  });

  describe('Swagger UI', () => {
    const openDocs = async (htmlContentSecurityPolicy?: Record<string, string[]>) => {
      const { api } = await startApi({
        cors: {},
        ...(htmlContentSecurityPolicy && { headers: { htmlContentSecurityPolicy } }),
      });
      const opened = await open(`${api}/docs`);
      await opened.page.locator('.opblock-summary-path').first().waitFor();
      return { ...opened, api };
    };

    it('renders fully and calls the API, with nothing blocked', async () => {
      const { page, complaints, api } = await openDocs(SWAGGER_POLICY);
      expect(await page.locator('.info .title').first().textContent()).toContain('Agent API');
      const paths = await page.locator('.opblock-summary-path').allTextContents();
      expect(paths.map(path => path.replaceAll('\u200b', ''))).toContain('/tools/run');
      const operation = page.locator('.opblock-post', { hasText: 'run' });
      await operation.locator('.opblock-summary-control').click();
      await operation.getByRole('button', { name: 'Try it out' }).click();
      const answered = page.waitForResponse(`${api}/tools/run`);
      await operation.getByRole('button', { name: 'Execute' }).click();
      expect((await answered).status()).toBe(200);
      await operation.locator('.live-responses-table .response-col_status').first().waitFor();
      expect(ran).toEqual([{ name: 'weather' }]);
      expect(complaints).toEqual([]);
    });

    const NEEDED: readonly (readonly [title: string, policy: Record<string, string[]>, complaint: RegExp])[] =
      [
        ['inline styles', { imgSrc: SWAGGER_POLICY.imgSrc }, /inline style/],
        ['data images', { styleSrc: SWAGGER_POLICY.styleSrc }, /data:image/],
      ];
    it.each(NEEDED)('needs %s', async (_row, policy, complaint) => {
      const { complaints } = await openDocs(policy);
      expect(complaints.join('\n')).toMatch(complaint);
    });
  });
});
