/* Faults of sinks under load, in a running app: whatever the disk does, an acknowledged call of impact high is in the file, each handler that
 * ran has one outcome, and nothing is left in the queue. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Body, Controller, Post } from '@nestjs/common';
import { verifyChain } from '../../src/audit/verify-chain.js';
import {
  AgentTool,
  type AuditLine,
  type AuditOptions,
  type AuditRecord,
  type AuditSink,
  AuditTrail,
} from '../../src/index.js';
import { PLATFORMS, type Platform } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { closeWithoutWait, setTimersApart } from '../support/timers-apart.js';
import { recordsOf, repeatedCalls, startedIds } from './burst.js';
import { KEY, scratchFile } from './support.js';

const CALLERS = 8;

function mountSmallDisk(folder: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' });
}

function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder]);
  rmdirSync(folder);
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'audit-mount-'));
  try {
    mountSmallDisk(folder);
  } catch {
    rmdirSync(folder);
    return false;
  }
  unmount(folder);
  return true;
}

/** Only root can mount a file system. */
const mayMount = canMount() || process.env['REQUIRE_ALL_SUITES'] === '1';

const ran: string[] = [];
beforeEach(() => void ran.splice(0));

@Controller()
class FaultController {
  @AgentTool('run', { impact: 'high' })
  @Post('run')
  run(@Body() { id }: { id: string }): object {
    ran.push(id);
    return {};
  }
}

const startApp = (platform: Platform, audit: AuditOptions): Promise<RunningApp> =>
  start(platform, { controllers: [FaultController], options: { rateLimit: false, audit } });

/** Calls without pause until `onAnswer` says so. @returns the IDs of the calls that were answered with success */
async function load(
  { send }: RunningApp,
  onAnswer: (status: number, answered: number) => boolean,
): Promise<string[]> {
  const answered: string[] = [];
  const untilMs = Date.now() + 20_000;
  let ended = false;
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let index = 0; !ended; index++) {
        const id = `${caller}/${index}`;
        const { status } = await send('/run', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ id }),
        });
        if (status === 201) answered.push(id);
        else if (status !== 503) throw new Error(`A call was answered with ${status}`);
        ended ||= onAnswer(status, answered.length) || Date.now() > untilMs;
      }
    }),
  );
  return answered;
}

/** Breaks something once 30 calls were answered, heals it behind so many rejected calls, and ends 30 calls later. */
const breakAndHeal = (breakIt: () => void, healIt: () => void, rejections: number) => {
  let [phase, rejected, since] = ['whole', 0, 0];
  return (status: number, answered: number): boolean => {
    if (phase === 'whole' && answered >= 30) {
      phase = 'broken';
      breakIt();
    } else if (phase === 'broken' && status === 503 && ++rejected >= rejections) {
      phase = 'healed';
      since = answered;
      healIt();
    }
    return phase === 'healed' && answered >= since + 30;
  };
};

function checkRecords(records: readonly AuditRecord[], answered: readonly string[]): void {
  expect(answered.length).toBeGreaterThanOrEqual(60);
  const recorded = startedIds(records);
  expect(answered.filter(id => !recorded.has(id))).toEqual([]);
  for (const event of ['started', 'finished'] as const) expect(repeatedCalls(records, event)).toEqual([]);
  // Every handler that ran has its outcome.
  const ids = new Map(
    records
      .filter(({ event }) => event === 'started')
      .map(({ call, params }) => [call, (params as { body: { id: string } }).body.id]),
  );
  const ended = new Set(records.filter(({ event }) => event === 'finished').map(({ call }) => ids.get(call)));
  expect(ran.filter(id => !ended.has(id))).toEqual([]);
  expect(new Set(ran).size).toBe(ran.length);
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  (mayMount ? describe : describe.skip)('a full disk', () => {
    it('rejects calls of impact high until there is room', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'audit-full-'));
      mountSmallDisk(folder);
      try {
        const file = join(folder, 'audit.log');
        const filler = join(folder, 'filler');
        const app = await startApp(platform, { file, key: KEY });
        const fill = (): void => {
          for (let bytes = 262_144; bytes >= 1; bytes = Math.floor(bytes / 2)) {
            try {
              writeFileSync(filler, 'x'.repeat(bytes), { flag: 'a' });
            } catch {
              // Full by now, or nearly.
            }
          }
        };
        const answered = await load(
          app,
          breakAndHeal(fill, () => rmSync(filler), 30),
        );
        expect(app.logger.find('ENOSPC', 'error')).toHaveLength(1);
        await app.close();
        expect(app.logger.find('that it has not taken')).toEqual([]);
        checkRecords(recordsOf(file), answered);
        expect((await verifyChain(file, KEY)).faults).toEqual([]);
      } finally {
        unmount(folder);
      }
    });
  });

  const losses: [title: string, lose: (file: string) => void][] = [
    ['is removed', file => rmSync(file)],
    ['is moved away', file => renameSync(file, `${file}.moved`)],
    [
      'is replaced by an empty one',
      file => {
        writeFileSync(`${file}.empty`, '', { mode: 0o600 });
        renameSync(`${file}.empty`, file);
      },
    ],
  ];
  it.each(losses)('a file that %s loses no acknowledged call', async (_case, lose) => {
    const file = scratchFile();
    const kept = `${file}-kept`;
    const app = await startApp(platform, { file, key: KEY });
    let isLost = false;
    const answered = await load(app, (_status, count) => {
      if (!isLost && count >= 30) {
        isLost = true;
        // What an operator may still have of it.
        linkSync(file, kept);
        lose(file);
      }
      return count >= 120;
    });
    await app.close();
    const records = new Map(
      [...recordsOf(kept), ...recordsOf(file)].map(each => [JSON.stringify(each), each]),
    );
    checkRecords([...records.values()], answered);
    expect(existsSync(`${file}.lock`)).toBe(false);
    expect((await verifyChain(file, KEY)).faults.map(({ kind }) => kind)).toEqual(['missing']);
    expect(app.logger.find(/has lost its lines 1 to \d+/, 'error')).toHaveLength(1);
  });

  it('a file that is cut in part gets no more calls of impact high, and the process continues', async () => {
    const file = scratchFile();
    const app = await startApp(platform, { file, key: KEY });
    let [rejected, isCut] = [0, false];
    const answered = await load(app, (status, count) => {
      if (!isCut && count >= 30) {
        isCut = true;
        truncateSync(file, 1_000);
      }
      return status === 503 && ++rejected >= 30;
    });
    expect(answered.length).toBeLessThan(30 + 2 * CALLERS);
    await closeWithoutWait(app);
    expect(app.logger.find(/was closed with \d+ records that it has not taken/, 'error')).toHaveLength(1);
    expect((await verifyChain(file, KEY)).faults.at(-1)!.kind).toBe('truncated');
    await expect(startApp(platform, { file, key: KEY })).rejects.toThrow('ends before its line');
  });

  it('a sink that is slow and fails now and then loses nothing', async () => {
    const records: AuditRecord[] = [];
    let writes = 0;
    const sink: AuditSink = {
      name: 'slow',
      async write(lines: readonly AuditLine[]) {
        const turn = ++writes;
        for (let ticks = 0; ticks < (turn * 7) % 50; ticks++) await new Promise(setImmediate);
        if (turn % 5 === 0) throw new Error('busy');
        records.push(...lines.map(({ record }) => record));
      },
    };
    const app = await startApp(platform, { sinks: [sink] });
    const answered = await load(app, (_status, count) => count >= 100);
    await app.app.get(AuditTrail).flush();
    await app.close();
    expect(writes).toBeGreaterThan(5);
    checkRecords(records, answered);
  });

  it('a sink that hangs rejects calls of impact high within its deadline, and continues when it answers', async () => {
    const records: AuditRecord[] = [];
    let isHanging = false;
    const sink: AuditSink = {
      name: 'hanging',
      write(lines) {
        if (isHanging) {
          setImmediate(() => jest.advanceTimersByTime(5_000));
          return new Promise(() => undefined);
        }
        records.push(...lines.map(({ record }) => record));
      },
    };
    const app = await startApp(platform, { sinks: [sink] });
    const hangAndAnswer = breakAndHeal(
      () => {
        setTimersApart();
        isHanging = true;
      },
      () => (isHanging = false),
      CALLERS,
    );
    const answered = await load(app, hangAndAnswer);
    expect(app.logger.find('fails (no answer within 5000 ms)', 'error')).toHaveLength(1);
    expect(app.logger.find('writes records again', 'log')).toHaveLength(1);
    await app.close();
    checkRecords(records, answered);
  });
});
