/* Shutdowns and a directory that cannot be written, at random moments of a burst of calls of impact high, in a process of its own. */
import { chmodSync, chownSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { verifyChain } from '../../src/audit/verify-chain.js';
import { buildPackage, burst, recordsOf, repeatedCalls, startedIds } from './burst.js';
import { KEY, scratchFile } from './support.js';

beforeAll(buildPackage, 120_000);

const ROUNDS = 3;
/** Printed with a failure, so that it can be repeated. */
const SEED = Date.now() % 100_000;
let state = SEED;
const random = (below: number): number => (state = (state * 48_271 + 1) % 2_147_483_647) % below;

async function checkFile(file: string, answered: readonly string[]): Promise<void> {
  const records = recordsOf(file);
  const recorded = startedIds(records);
  expect(answered.filter(id => !recorded.has(id))).toEqual([]);
  for (const event of ['started', 'finished'] as const) expect(repeatedCalls(records, event)).toEqual([]);
  expect((await verifyChain(file, KEY)).faults).toEqual([]);
}

describe.each(['Express', 'Fastify'])('on %s', platform => {
  it.each([
    ['SIGTERM', [null, 'SIGTERM']],
    ['app.close()', [0, null]],
  ])(
    `%s loses no answered call, and the process ends by itself (seed ${SEED})`,
    async (way, exit) => {
      const file = scratchFile();
      const answered: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const endAfter = 1 + random(120);
        const end = await burst({
          platform,
          file,
          round,
          onAnswer: (_status, child, count) =>
            count >= endAfter && (way === 'SIGTERM' ? child.kill(way) : child.send('close')),
        });
        expect(end.exit).toEqual(exit);
        answered.push(...end.answered);
        await checkFile(file, answered);
        // All that was answered before is recorded to its end, and nothing is left of the lock.
        expect(readdirSync(dirname(file)).filter(name => name.endsWith('.lock'))).toEqual([]);
      }
    },
    120_000,
  );

  it('a directory that cannot be written stops calls of impact high, and nothing else', async () => {
    const file = scratchFile();
    const folder = dirname(file);
    // Root may write everywhere.
    const uid = process.geteuid?.() === 0 ? 65_534 : undefined;
    if (uid !== undefined) chownSync(folder, uid, uid);
    let [phase, rejected, since] = ['served', 0, 0];
    const end = await burst({
      platform,
      file,
      round: 0,
      uid,
      onAnswer(status, child, count) {
        if (phase === 'served' && count >= 50) {
          phase = 'broken';
          // Without root, nothing can be removed from a directory that cannot be written.
          if (uid === undefined) rmSync(file);
          chmodSync(folder, 0o500);
          rmSync(file, { force: true });
        } else if (phase === 'broken' && status === 503 && ++rejected >= 50) {
          phase = 'healed';
          since = count;
          chmodSync(folder, 0o700);
        }
        return phase === 'healed' && count >= since + 50 && child.send('close');
      },
    });
    expect([end.exit, rejected]).toEqual([[0, null], 50]);
    // The lines of the file that was removed are gone, and that is reported; all others are there.
    const records = recordsOf(file);
    const recorded = startedIds(records);
    expect(end.answered.slice(-50).filter(id => !recorded.has(id))).toEqual([]);
    expect(records.some(({ event }) => event === 'reopened')).toBe(true);
    for (const event of ['started', 'finished'] as const) expect(repeatedCalls(records, event)).toEqual([]);
    expect((await verifyChain(file, KEY)).faults).toEqual([
      expect.objectContaining({
        kind: 'missing',
        text: expect.stringMatching(/^Lines 1 to \d+ are missing/),
      }),
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  }, 120_000);
});
