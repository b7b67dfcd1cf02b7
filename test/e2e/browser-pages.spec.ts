/* What Chromium does with the pages of an app: forms, second visits, workers, service workers, and the popup of Swagger UI. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Header, Headers, Post, Res } from '@nestjs/common';
import { ServeStaticModule } from '@nestjs/serve-static';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Browser } from 'playwright-core';
import type { AgentSecurityOptions } from '../../src/index.js';
import { describeInChromium, launchChromium, openPage, runIn } from '../support/chromium.js';
import { freePort } from '../support/free-port.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

const PAGE = '<!doctype html><title>page</title><script src="/page.js"></script>';
const FILES: Readonly<Record<string, string>> = {
  'index.html': PAGE,
  'page.js': 'window.ran = true;',
  'data.json': '{"fetched":true}',
  'worker.js':
    "fetch('/data.json').then(answer => answer.text()).then(postMessage, error => postMessage(String(error)));",
  'shared.js': `onconnect = ({ ports: [port] }) => fetch('/data.json').then(answer => answer.text())
    .then(text => port.postMessage(text), error => port.postMessage(String(error)));`,
  'service.js': `oninstall = () => skipWaiting();
    onactivate = event => event.waitUntil(clients.claim());
    onfetch = event => event.respondWith(fetch(event.request));`,
};

const sent: unknown[] = [];

@Controller()
class Pages {
  @Get('form')
  @Header('Content-Type', 'text/html')
  form(): string {
    return '<!doctype html><title>form</title><form method="post"><button>Send</button></form>';
  }

  @Post('form')
  submit(
    @Headers('origin') origin: string | undefined,
    @Headers('sec-fetch-site') site: string | undefined,
  ): object {
    sent.push([origin, site]);
    return {};
  }

  @Get('route')
  @Header('Content-Type', 'text/html')
  @Header('Cache-Control', 'no-cache')
  @Header('ETag', '"1"')
  route(
    @Res({ passthrough: true }) response: any,
    @Headers('if-none-match') known: string | undefined,
  ): string {
    if (known !== undefined) response.status(304);
    return PAGE;
  }

  @Get('hello')
  hello(): string {
    return 'Hello World!';
  }
}

describeInChromium('browser-pages.spec.ts').each(PLATFORMS)(
  'Chromium and pages on %s',
  (_title, platform) => {
    let browser: Browser;
    let folder: string;
    beforeAll(async () => {
      // Over plain HTTP, and no address of this machine: browsers send it no Sec-Fetch-Site.
      browser = await launchChromium('--host-resolver-rules=MAP plain.example 127.0.0.1');
      folder = mkdtempSync(join(tmpdir(), 'pages-'));
      for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
    });
    afterAll(async () => {
      await browser?.close();
      rmSync(folder, { recursive: true });
    });
    afterEach(async () => {
      for (const context of browser.contexts()) await context.close();
    });

    async function startPages(options: AgentSecurityOptions = {}, parts: AppParts = {}) {
      const statuses: string[] = [];
      const { app, port } = await start(platform, {
        controllers: [Pages],
        imports: [ServeStaticModule.forRoot({ rootPath: folder })],
        options: {
          headers: { htmlContentSecurityPolicy: true },
          hosts: ['127.0.0.1', 'plain.example'],
          rateLimit: false,
          ...options,
        },
        ...parts,
      });
      app.getHttpServer().on('request', (request: any, response: any) => {
        response.on('finish', () => statuses.push(`${request.url} ${response.statusCode}`));
      });
      return { port, url: `http://127.0.0.1:${port}`, statuses };
    }

    it.each([
      ['where the browser sends Sec-Fetch-Site', '127.0.0.1', 'same-origin'],
      ['over plain HTTP, where it does not', 'plain.example', undefined],
    ])('a form of the app is accepted %s', async (_what, host, site) => {
      const { port } = await startPages();
      const origin = `http://${host}:${port}`;
      const { page } = await openPage(browser, `${origin}/form`);
      sent.length = 0;
      const navigated = page.waitForResponse(answer => answer.request().method() === 'POST');
      await page.locator('button').click();
      expect((await navigated).status()).toBe(201);
      expect(sent).toEqual([[origin, site]]);
    });

    it('a form under no-referrer is accepted, though its Origin is null', async () => {
      const { url } = await startPages({
        headers: { htmlContentSecurityPolicy: true, referrerPolicy: { policy: 'no-referrer' } },
      });
      const { page } = await openPage(browser, `${url}/form`);
      sent.length = 0;
      const navigated = page.waitForResponse(answer => answer.request().method() === 'POST');
      await page.locator('button').click();
      expect([(await navigated).status(), sent]).toEqual([201, [['null', 'same-origin']]]);
    });

    it.each(['/index.html', '/route'])('%s runs its script on the second visit, after a 304', async path => {
      const { url, statuses } = await startPages();
      const { page, complaints } = await openPage(browser, url + path);
      for (const status of [200, 304]) {
        if (status === 304) await page.goto(url + path);
        expect(await runIn(page, 'return window.ran')).toBe(true);
        expect(statuses).toContain(`${path} ${status}`);
      }
      expect(complaints).toEqual([]);
    });

    it.each([
      ['a worker', "new Worker('/worker.js')"],
      ['a module worker', "new Worker('/worker.js', { type: 'module' })"],
      ['a shared worker', "new SharedWorker('/shared.js').port"],
    ])('%s calls the app', async (_what, create) => {
      const { url } = await startPages();
      const { page, complaints } = await openPage(browser, `${url}/index.html`);
      const answer = await runIn(
        page,
        `return new Promise(resolve => { (${create}).onmessage = ({ data }) => resolve(data); });`,
      );
      expect([answer, complaints]).toEqual(['{"fetched":true}', []]);
    });

    it('a service worker that passes requests on leaves the site as it is', async () => {
      const { url } = await startPages();
      const { page, complaints } = await openPage(browser, `${url}/index.html`);
      await runIn(
        page,
        "await navigator.serviceWorker.register('/service.js'); await navigator.serviceWorker.ready;",
      );
      for (const path of ['/index.html', '/index.html', '/form']) {
        const answer = await page.goto(url + path);
        expect([answer?.status(), answer?.fromServiceWorker()]).toEqual([200, true]);
      }
      await page.goto(`${url}/index.html`);
      expect(await runIn(page, "return [window.ran, await (await fetch('/data.json')).text()]")).toEqual([
        true,
        '{"fetched":true}',
      ]);
      expect(complaints).toEqual([]);
    });

    it.each([
      ['a page with the default options', '/hello', {}],
      ['a page of the app', '/index.html', { headers: { htmlContentSecurityPolicy: true } }],
    ])('%s logs nothing', async (_what, path, options) => {
      const { url } = await startPages({ headers: {}, ...options });
      const { page, complaints } = await openPage(browser, url + path);
      await page.waitForLoadState('networkidle');
      expect(complaints).toEqual([]);
    });

    describe('the OAuth2 popup of Swagger UI', () => {
      let provider: Server;
      let issuer: string;
      const asked: string[] = [];
      beforeAll(async () => {
        provider = createServer((request, response) => {
          const { pathname, searchParams } = new URL(request.url!, 'http://provider');
          asked.push(`${request.method} ${pathname}`);
          if (pathname === '/token') {
            response.setHeader('Access-Control-Allow-Origin', '*');
            response.setHeader('Access-Control-Allow-Headers', '*, Authorization');
            response.setHeader('Content-Type', 'application/json');
            response.end(JSON.stringify({ access_token: 'issued', token_type: 'Bearer' }));
            return;
          }
          const back = `${searchParams.get('redirect_uri')}?code=1&state=${encodeURIComponent(searchParams.get('state')!)}`;
          response.setHeader('Content-Type', 'text/html');
          response.end(
            `<!doctype html><title>login</title><a href="${back.replaceAll('&', '&amp;')}">Sign in</a>`,
          );
        });
        await new Promise<void>(resolve => {
          provider.listen(0, '127.0.0.1', resolve);
        });
        issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
      });
      afterAll(() => {
        provider.closeAllConnections();
        provider.close();
      });

      async function signIn(isRecipe: boolean): Promise<{ hasOpener: boolean; authorized: boolean }> {
        asked.length = 0;
        const port = await freePort();
        const { url } = await startPages(
          {
            headers: {
              htmlContentSecurityPolicy: {
                styleSrc: ["'self'", "'unsafe-inline'"],
                imgSrc: ["'self'", 'data:'],
                connectSrc: ["'self'", issuer],
              },
            },
          },
          {
            imports: [],
            port,
            configure: app => {
              if (isRecipe) {
                app.use('/docs', (_request: unknown, response: any, next: () => void) => {
                  response.setHeader('Cross-Origin-Opener-Policy', 'unsafe-none');
                  next();
                });
              }
              const flow = {
                authorizationUrl: `${issuer}/authorize`,
                tokenUrl: `${issuer}/token`,
                scopes: {},
              };
              const config = new DocumentBuilder()
                .addOAuth2({ type: 'oauth2', flows: { authorizationCode: flow } })
                .build();
              SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, config), {
                swaggerOptions: { oauth2RedirectUrl: `http://127.0.0.1:${port}/docs/oauth2-redirect.html` },
              });
            },
          },
        );
        const { page } = await openPage(browser, `${url}/docs`);
        await page.locator('.auth-wrapper .authorize').first().click();
        const opening = page.waitForEvent('popup');
        await page.locator('.auth-container').first().waitFor();
        await page.locator('.auth-container input').first().fill('docs');
        await page.locator('.auth-btn-wrapper .authorize').first().click();
        const popup = await opening;
        await popup.waitForLoadState();
        const hasOpener = await runIn<boolean>(popup, 'return window.opener !== null');
        if (!hasOpener) return { hasOpener, authorized: false };
        const closed = popup.waitForEvent('close');
        await popup.locator('a').click();
        await closed;
        await page.locator('.auth-btn-wrapper', { hasText: 'Logout' }).waitFor();
        return { hasOpener, authorized: true };
      }

      it('returns to the page with the setting of the guide', async () => {
        expect(await signIn(true)).toEqual({ hasOpener: true, authorized: true });
        expect(asked).toContain('POST /token');
      });

      it('needs the setting', async () => {
        expect((await signIn(false)).hasOpener).toBe(false);
      });
    });
  },
);
