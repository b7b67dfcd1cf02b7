/* The recipes of the README: the request's ID in every log line, through nestjs-pino, through nestjs-cls, and through Nest's own
 * logger with nestjs-cls. Each recipe is the code between its two marks, and nothing more. */
import { Writable } from 'node:stream';
import { ConsoleLogger, Controller, Get, Injectable, Logger, Module, RequestMethod } from '@nestjs/common';
import { ClsModule, ClsService } from 'nestjs-cls';
import { Logger as PinoLogger, LoggerModule } from 'nestjs-pino';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class ToolsController {
  private readonly logger = new Logger('Tools');

  @Get('run')
  async run(): Promise<string> {
    this.logger.log('before');
    // The ID must outlive an await.
    await new Promise(resolve => setImmediate(resolve));
    this.logger.log('after');
    return 'ran';
  }

  @Get('fail')
  fail(): never {
    throw new Error('broken');
  }
}

afterEach(() => Logger.overrideLogger(false));

const IDS: readonly (readonly [title: string, headers: Record<string, string>])[] = [
  ['an ID that the client chose', { 'X-Request-ID': 'client-chosen.1' }],
  ['an ID that was made', {}],
  ['an ID in place of one that is not acceptable', { 'X-Request-ID': '<script>' }],
];

/** Two requests at once: the second must not take the first one's ID. */
async function runTwice(
  app: RunningApp,
  headers: Record<string, string>,
): Promise<readonly [string, string]> {
  const [one, two] = await Promise.all([
    app.send('/run', { headers }),
    app.send('/run', { headers: { 'X-Request-ID': 'other' } }),
  ]);
  expect([one.status, two.status, two.header('X-Request-ID')]).toEqual([200, 200, 'other']);
  const id = one.header('X-Request-ID')!;
  expect(id).toMatch(/^[\w.:@+=-]{1,128}$/);
  return [id, 'other'];
}

/** nestjs-pino has one logger in a process, and so one stream. */
let pinoText = '';
const stream = new Writable({
  write(chunk, _encoding, done) {
    pinoText += String(chunk);
    done();
  },
});

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  describe('nestjs-pino', () => {
    interface PinoLine {
      msg: string;
      req?: { id: unknown };
      res?: { headers: Record<string, unknown> };
      context?: string;
    }
    const startPino = async (): Promise<{ app: RunningApp; lines: () => PinoLine[] }> => {
      pinoText = '';
      const app = await start(platform, {
        controllers: [ToolsController],
        // Recipe: the stream is the test's own.
        imports: [
          LoggerModule.forRoot({
            forRoutes: [{ path: '/{*path}', method: RequestMethod.ALL }],
            pinoHttp: { stream },
          }),
        ],
        configure: app => app.useLogger(app.get(PinoLogger)),
        // End of the recipe.
      });
      return {
        app,
        lines: () =>
          pinoText
            .split('\n')
            .filter(Boolean)
            .map(line => JSON.parse(line) as PinoLine),
      };
    };

    it.each(IDS)('logs %s', async (_row, headers) => {
      const { app, lines } = await startPino();
      const ids = await runTwice(app, headers);
      for (const id of ids) {
        const messages = lines()
          .filter(line => line.req?.id === id)
          .map(({ msg }) => msg);
        expect(messages).toEqual(['before', 'after', 'request completed']);
      }
      expect(JSON.stringify(lines().map(({ req }) => req?.id))).not.toContain('<');
    });

    it('logs the reason of a 500 under the ID of the answer', async () => {
      const { app, lines } = await startPino();
      const answer = await app.send('/fail');
      const id = answer.json().requestId as string;
      expect(id).toBe(answer.header('X-Request-ID'));
      const own = lines().filter(line => line.req?.id === id);
      expect(own.some(line => JSON.stringify(line).includes('broken'))).toBe(true);
    });
  });

  describe('nestjs-cls', () => {
    it.each(IDS)('knows %s', async (_row, headers) => {
      const seen: [string, string][] = [];
      @Controller()
      class ClsController {
        constructor(private readonly cls: ClsService) {}

        @Get('run')
        async run(): Promise<string> {
          const before = this.cls.getId();
          await new Promise(resolve => setImmediate(resolve));
          seen.push([before, this.cls.getId()]);
          return 'ran';
        }
      }
      const app = await start(platform, {
        controllers: [ClsController],
        imports: [
          // Recipe
          ClsModule.forRoot({
            global: true,
            middleware: { mount: true, generateId: true, idGenerator: (req: { id: string }) => req.id },
          }),
          // End of the recipe.
        ],
      });
      const ids = await runTwice(app, headers);
      expect(seen.toSorted()).toEqual(ids.map(id => [id, id]).toSorted());
    });
  });

  describe("Nest's ConsoleLogger with nestjs-cls", () => {
    it.each(IDS)('logs %s', async (_row, headers) => {
      // Recipe
      @Injectable()
      class RequestLogger extends ConsoleLogger {
        constructor(private readonly cls: ClsService) {
          super();
        }

        protected override formatContext(context: string): string {
          const id = this.cls.getId();
          return super.formatContext(id ? `${context} ${id}` : context);
        }
      }

      @Module({
        imports: [
          ClsModule.forRoot({
            global: true,
            middleware: { mount: true, generateId: true, idGenerator: (req: { id: string }) => req.id },
          }),
        ],
        providers: [RequestLogger],
        exports: [RequestLogger],
      })
      class LoggingModule {}
      // In main.ts: app.useLogger(app.get(RequestLogger));
      // End of the recipe.
      let text = '';
      const write = jest.spyOn(process.stdout, 'write').mockImplementation(chunk => {
        text += String(chunk);
        return true;
      });
      const app = await start(platform, {
        controllers: [ToolsController],
        imports: [LoggingModule],
        configure: app => app.useLogger(app.get(RequestLogger)),
      });
      const ids = await runTwice(app, headers);
      write.mockRestore();
      const lines = text.split('\n').filter(line => line.includes('[Tools'));
      for (const id of ids) {
        const own = lines.filter(line => line.includes(`[Tools ${id}]`));
        expect(own.map(line => /before|after/.exec(line)?.[0])).toEqual(['before', 'after']);
      }
      expect(lines).toHaveLength(4);
    });
  });
});
