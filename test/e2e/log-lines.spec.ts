/* What others chose stays on its line of the log: no line break, no escape sequence, no mark that reorders text. */
import { Controller, Get } from '@nestjs/common';
import { RateLimit } from '../../src/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';
import { SECRET, TestKeys } from '../support/keys.js';

const FORGED = 'down\n[Nest] 1 - ERROR forged \u001b[2J\u009b2J\u202e';
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const fail = (): never => {
  throw new Error(FORGED);
};

@Controller()
class LimitedController {
  @Get()
  @RateLimit({ limit: fail })
  get(): string {
    return 'served';
  }

  @Get('throws')
  throws(): never {
    return fail();
  }

  @Get('throws-text')
  throwsText(): never {
    // oxlint-disable-next-line no-throw-literal -- some libraries do
    throw FORGED;
  }
}

const { key: KEY } = new TestKeys().add('bot');
const rows: [title: string, line: string, path: string, parts: AppParts][] = [
  [
    'a failing store of keys',
    'could not be verified',
    '/',
    {
      options: { auth: { apiKeys: { store: { find: fail }, secret: SECRET } } },
    },
  ],
  ['a failing lookup of a limit', 'could not be resolved', '/', {}],
  ['a failing trustProxy', 'could not be checked', '/', { options: { trustProxy: fail } }],
  ['an exception of a handler', 'forged', '/throws', {}],
  ['a text that a handler throws', 'forged', '/throws-text', {}],
];

describe.each(PLATFORMS)('a log line on %s', (_title, platform) => {
  it.each(rows)('holds no line break and no escape sequence of %s', async (_name, line, path, parts) => {
    const app = await start(platform, { controllers: [LimitedController], ...parts });
    await app.send(path, { headers: { Authorization: `Bearer ${KEY}` } });
    const lines = app.logger.find(line);
    expect(lines.length).toBeGreaterThan(0);
    for (const { message } of lines) {
      expect(message).not.toMatch(UNSAFE);
      expect(message).toContain('down\\u000a[Nest]');
    }
  });
});
