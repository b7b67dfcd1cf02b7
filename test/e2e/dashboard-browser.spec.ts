/* The page of the dashboard in Chromium, as an operator uses it: by keyboard, on a phone, with hostile names, under load. */
import type { Browser, Page } from 'playwright-core';
import { type AgentSecurityOptions, SecurityEvents, type Timers, TIMERS } from '../../src/index.js';
import { describeInChromium, launchChromium, openPage, runIn } from '../support/chromium.js';
import { REJECTED } from '../support/dashboard.js';
import { DashboardRoutes } from '../support/dashboard-routes.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { EXPRESS, PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const HOSTILE = '<img src=x onerror="window.owned=1">';

const disabled: string[] = [];
const keys = new TestKeys();
const operator = keys.add('operator', { scopes: ['ops', 'ops:act'] }).key;
const bot = keys.add('bot', { tools: ['*'] }).key;
Object.assign(keys.store, { disableAgent: async (id: string) => void disabled.push(id) });

/** A second of the page's updates passes in a twentieth of one. */
const FAST: Timers = {
  start: (ms, run) => setTimeout(run, ms / 20).unref(),
  stop: timer => clearTimeout(timer as NodeJS.Timeout),
};

describeInChromium('dashboard-browser.spec.ts')('the page of the dashboard', () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launchChromium()));
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  async function startApp(platform = EXPRESS, options: AgentSecurityOptions = {}) {
    return start(platform, {
      controllers: [DashboardRoutes],
      options: {
        auth: { apiKeys: { store: keys.store, secret: SECRET } },
        dashboard: { actionScopes: ['ops:act'] },
        rateLimit: { limits: '1000/minute' },
        ...options,
      },
      extras: { providers: [{ provide: TIMERS, useValue: FAST }] },
    });
  }

  async function signIn(port: number): Promise<{ page: Page; complaints: string[] }> {
    const opened = await openPage(browser, `http://127.0.0.1:${port}/security`);
    const { page } = opened;
    await page.locator('#key').fill(operator);
    await page.keyboard.press('Enter');
    await page.locator('#status', { hasText: 'Live' }).waitFor();
    await page.locator('#tiles b').first().waitFor();
    return opened;
  }

  it.each(PLATFORMS)(
    'signs in by keyboard, shows what happens while it happens, and finds a rejection by its ID, on %s',
    async (_title, platform) => {
      const { port, send } = await startApp(platform);
      for (let count = 0; count < 3; count++) await send('/open');
      await send('/notes/1', { method: 'DELETE', headers: { 'X-API-Key': bot } });
      const { page, complaints } = await signIn(port);
      expect(await page.locator('#rejections').innerText()).toContain('429 rate_limited');
      expect(await page.locator('#called').innerText()).toContain('delete_note');
      await send('/hello', { headers: { 'X-Request-ID': 'lost-42' } });
      await page.locator('#rejections', { hasText: 'lost-42' }).waitFor();
      await page.keyboard.press('/');
      await page.keyboard.type('lost-42');
      await page.keyboard.press('Enter');
      const found = page.locator('#found', { hasText: 'credential_missing' });
      await found.waitFor();
      expect(await found.innerText()).not.toContain('rate_limited');
      await page.locator('#by-policies').click();
      expect(await page.locator('#rejected .legend').innerText()).toContain('open 1');
      await page.locator('#rejected summary').click();
      expect(await page.locator('#rejected tbody tr').count()).toBe(1);
      expect(complaints).toEqual([]);
      expect(page.url()).toBe(`http://127.0.0.1:${port}/security`);
    },
  );

  it('keeps the credential for a reload of the tab, and no longer than the operator wants', async () => {
    const { port } = await startApp();
    const { page } = await signIn(port);
    await page.reload();
    await page.locator('#status', { hasText: 'Live' }).waitFor();
    await page.locator('#leave').click();
    expect(await runIn(page, 'return [sessionStorage.length, localStorage.length, document.cookie]')).toEqual(
      [0, 0, ''],
    );
    await page.locator('#key').fill(bot);
    await page.keyboard.press('Enter');
    await page.locator('#problem', { hasText: 'It needs: ops.' }).waitFor();
    expect(await page.locator('#figures').isHidden()).toBe(true);
  });

  it('shows hostile names as text', async () => {
    const { app, port } = await startApp();
    const events = app.get(SecurityEvents);
    const { page, complaints } = await signIn(port);
    const [code, reason, received, requestId, agent, path] = Array<string>(6).fill(HOSTILE);
    events.emit({ ...REJECTED, code: code!, reason, received, requestId, agent, path, policies: [HOSTILE] });
    const cell = page.locator('#rejections td', { hasText: HOSTILE });
    await cell.first().waitFor();
    expect(await cell.count()).toBe(5);
    await page.locator('#rejected .legend', { hasText: HOSTILE }).waitFor();
    await page.locator('#rejections button', { hasText: HOSTILE }).first().click();
    await page.locator('#found', { hasText: HOSTILE }).waitFor();
    expect(await runIn(page, "return [window.owned, document.querySelectorAll('img').length]")).toEqual([
      undefined,
      0,
    ]);
    expect(complaints).toEqual([]);
  });

  it('fits a phone, and says what it shows to screen readers', async () => {
    const { port, send } = await startApp();
    await send('/open');
    for (let count = 0; count < 3; count++) await send('/open');
    const { page } = await signIn(port);
    await page.setViewportSize({ width: 360, height: 740 });
    await page.locator('#clients .meter').first().waitFor();
    const facts = await runIn<Record<string, unknown>>(
      page,
      `const nameless = [...document.querySelectorAll('button, input, [role=region], [role=meter], [role=img]')]
        .filter(node => !node.closest('[hidden]') && !(node.textContent.trim() || node.getAttribute('aria-label') || node.labels?.length));
      return { overflow: document.documentElement.scrollWidth - innerWidth, nameless: nameless.map(node => node.outerHTML), lang: document.documentElement.lang,
        roles: document.querySelectorAll('[role=table] [role=row] [role=cell]').length > 0 };`,
    );
    expect(facts).toEqual({ overflow: 0, nameless: [], lang: 'en', roles: true });
  });

  it('has text of enough contrast in light and dark', async () => {
    const { port, send } = await startApp();
    for (let count = 0; count < 4; count++) await send('/open');
    const { page } = await signIn(port);
    await page.locator('#clients .meter').first().waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await runIn<string[]>(page, LOW_CONTRAST)).toEqual([]);
    }
  });

  it('stays usable while 10,000 requests are rejected between two updates', async () => {
    const { app, port } = await startApp();
    const events = app.get(SecurityEvents);
    const { page, complaints } = await signIn(port);
    for (let round = 1; round <= 3; round++) {
      for (let count = 0; count < 10_000; count++) {
        const parts = { requestId: `${round}-${count}`, agent: `agent-${count}`, code: `code-${count % 50}` };
        events.emit({ ...REJECTED, ...parts, policies: ['all'] });
      }
      await page.locator('#tiles', { hasText: `${round}0,000` }).waitFor();
    }
    expect(await page.locator('#rejections tbody tr').count()).toBe(50);
    await page.locator('#by-policies').click();
    await page.locator('#rejected .legend', { hasText: 'all 30,000' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it.each(PLATFORMS)(
    'acts on an agent after a confirmation, and not before, on %s',
    async (_title, platform) => {
      const { port, send } = await startApp(platform);
      disabled.length = 0;
      await send('/notes/1', { method: 'DELETE', headers: { 'X-API-Key': bot } });
      const { page } = await signIn(port);
      await page.locator('#text').fill('bot');
      await page.keyboard.press('Enter');
      await page.locator('#found button', { hasText: 'Act…' }).first().click();
      await page.locator('#choices input[value="disable-agent"]').check();
      await page.locator('#act button', { hasText: 'Confirm' }).click();
      expect(disabled).toEqual([]);
      await page.locator('#sure').check();
      await page.locator('#act button', { hasText: 'Confirm' }).click();
      await page.locator('#notice', { hasText: 'The agent bot is disabled.' }).waitFor();
      expect(disabled).toEqual(['bot']);
      await page.locator('#audit', { hasText: 'dashboard:disable-agent' }).waitFor();
    },
  );

  it.each(PLATFORMS)('comes back after the connection was lost, on %s', async (_title, platform) => {
    const { app, port } = await startApp(platform);
    const { page } = await signIn(port);
    await page.locator('#pause').click();
    app.getHttpServer().closeAllConnections();
    await page.locator('#status', { hasText: 'Reconnecting' }).waitFor();
    await page.locator('#status', { hasText: 'Paused' }).waitFor();
    await page.locator('#pause').click();
    await page.locator('#status', { hasText: 'Live' }).waitFor();
    expect(await page.locator('#figures').isVisible()).toBe(true);
  });
});

/** Texts whose color has less than 4.5:1 to what is behind them (WCAG 2.2, 1.4.3), the large ones 3:1. */
const LOW_CONTRAST = `
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const read = color => color.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = node => {
  for (let each = node; each; each = each.parentElement) {
    const color = read(getComputedStyle(each).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const low = [];
for (const node of document.querySelectorAll('body *')) {
  const hasText = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
  if (!hasText || !node.checkVisibility() || node.closest('svg, .hidden, .skip')) continue;
  const style = getComputedStyle(node);
  const [a, b] = [luminance(read(style.color)), luminance(behind(node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) low.push(node.textContent.slice(0, 40) + ' ' + ratio.toFixed(2));
}
return low;`;
