/*
 * Draws the pictures of docs/dashboard.md, docs/images/dashboard-*.png: an app with traffic of several agents, seen in Chromium. It needs
 * the build of `tsc -b tsconfig.build.json`, and a browser (CHROMIUM_PATH).
 *   node scripts/screenshot-dashboard.mjs --out docs/images
 */
import 'reflect-metadata';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Controller, Delete, Get, HttpException, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { chromium } from 'playwright-core';
import {
  addKey,
  AgentSecurityModule,
  AgentTool,
  CLOCK,
  EMPTY_BOOK,
  KeyBookStore,
  KeyDigests,
  Public,
  RateLimit,
} from '../dist/index.js';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'docs/images' } } });
mkdirSync(values.out, { recursive: true });

/** An hour of traffic passes in a second. */
let aheadMs = -3_600_000;
const clock = {
  monotonicMs: () => performance.now() + 3_600_000 + aheadMs,
  epochMs: () => Date.now() + aheadMs,
};

const secret = 'a secret for pictures that is long enough';
const digests = new KeyDigests([secret]);
let book = EMPTY_BOOK;
function addAgent(id, scopes) {
  const made = addKey(book, id, { scopes, tools: ['*'] }, digests, { prefix: 'ask', nowMs: clock.epochMs() });
  book = made.book;
  return made.key;
}
const operator = addAgent('operator', ['ops', 'ops:act']);
const agents = [
  ['reporting', 6, 2],
  ['support-bot', 4, 3],
  ['crawler', 9, 0],
  ['billing-agent', 1, 2],
].map(([id, reads, calls]) => ({ id, reads, calls, key: addAgent(id, ['tools:run']) }));

/** Decorates a class without a compiler. */
const decorate = (target, name, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
  for (const decorator of decorators) decorator(target.prototype, name, descriptor);
};
class Routes {
  read() {
    return {};
  }
  search() {
    return {};
  }
  refund() {
    if (Math.random() < 0.2) throw new HttpException('The bank rejects it.', 502);
    return {};
  }
  remove() {
    return {};
  }
}
decorate(Routes, 'read', Get('documents'));
decorate(Routes, 'search', Get('public'), Public(), RateLimit({ limit: '30/minute', name: 'public-search' }));
decorate(Routes, 'refund', Post('refunds'), AgentTool('create_refund', { impact: 'high' }));
decorate(
  Routes,
  'remove',
  Delete('notes/1'),
  AgentTool('delete_note', { impact: 'medium', limit: '3/minute' }),
);
Controller()(Routes);
class AppModule {}
Module({
  imports: [
    AgentSecurityModule.forRoot(
      {
        auth: {
          apiKeys: { store: Object.assign(new KeyBookStore(book), { disableAgent: async () => {} }), secret },
        },
        rateLimit: {
          limits: ['40/second', { limit: '60/minute', name: 'per-minute' }],
          flood: '10000/second',
        },
        dashboard: { actionScopes: ['ops:act'] },
        noStore: false,
        audit: { file: join(process.env.TMPDIR ?? '/tmp', `dashboard-${process.pid}.log`), logger: false },
        logging: false,
      },
      { providers: [{ provide: CLOCK, useValue: clock }] },
    ),
  ],
  controllers: [Routes],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
const { port } = app.getHttpServer().address();
const url = `http://127.0.0.1:${port}`;
const send = (path, key, method = 'GET', headers = {}) =>
  fetch(url + path, { method, headers: { ...(key && { 'X-API-Key': key }), ...headers } }).then(each =>
    each.text(),
  );

for (let minute = 0; minute <= 60; minute++) {
  const busy = 1 + Math.sin(minute / 7) ** 2 * 2 + (minute > 38 && minute < 46 ? 3 : 0);
  const work = agents.flatMap(({ key, reads, calls }) => [
    ...Array.from({ length: Math.round(reads * busy) }, () => send('/documents', key)),
    ...Array.from({ length: minute % 3 === 0 ? calls : 0 }, () => send('/refunds', key, 'POST')),
    ...Array.from({ length: minute % 4 === 0 ? calls : 0 }, () => send('/notes/1', key, 'DELETE')),
  ]);
  await Promise.all([
    ...work,
    ...(minute === 60 ? Array.from({ length: 38 }, () => send('/documents', agents[2].key)) : []),
    ...(minute === 60 ? Array.from({ length: 22 }, () => send('/public')) : []),
    ...(minute % 10 === 0 ? Array.from({ length: 3 }, () => send('/notes/1', agents[1].key, 'DELETE')) : []),
    ...Array.from({ length: Math.round(6 * busy) }, () => send('/public')),
    ...Array.from({ length: minute % 5 }, () => send('/documents')),
    ...(minute > 38 && minute < 46 ? Array.from({ length: 20 }, () => send('/public')) : []),
    ...(minute % 9 === 0 ? [send('/documents', `ask_${'a'.repeat(40)}`)] : []),
    ...(minute % 11 === 0 ? [send('/documents', undefined, 'POST', { Origin: 'https://evil.example' })] : []),
    ...(minute % 13 === 0 ? [send('/admin/config')] : []),
  ]);
  if (minute < 60) aheadMs += 60_000;
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const shots = [
  ['light', { width: 1120, height: 1010 }, 'light'],
  ['dark', { width: 1120, height: 700 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
];
for (const [name, viewport, colorScheme] of shots) {
  const page = await (await browser.newContext({ viewport, colorScheme, timezoneId: 'UTC' })).newPage();
  page.on('console', message => process.stderr.write(`${message.text()}\n`));
  page.on('pageerror', error => process.stderr.write(`${error}\n`));
  await page.goto(`${url}/security`);
  if (name === 'light')
    await page.screenshot({
      path: join(values.out, 'dashboard-sign-in.png'),
      clip: { x: 260, y: 0, width: 600, height: 420 },
    });
  await page.locator('#key').fill(operator);
  await page.keyboard.press('Enter');
  await page.locator('#rejections table').waitFor();
  await page.screenshot({
    path: join(values.out, `dashboard-${name}.png`),
    fullPage: process.env.FULL !== undefined,
  });
}
await browser.close();
await app.close();
