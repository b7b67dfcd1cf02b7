/* `kill -9` in the middle of a burst, again and again on one file: every answered call has its audit record, and the chain is whole. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { verifyChain } from '../../src/audit/verify-chain.js';
import { buildPackage, burst, recordsOf, startedIds } from './burst.js';
import { KEY, scratchFile } from './support.js';

beforeAll(buildPackage, 120_000);

it.each(['Express', 'Fastify'])(
  'every answered call has its audit record, on %s',
  async platform => {
    const file = scratchFile();
    const answered: string[] = [];
    for (const [round, killAfter] of [1, 40, 7, 150, 90].entries()) {
      const end = await burst({
        platform,
        file,
        round,
        onAnswer: (_status, child, count) => count >= killAfter && child.kill('SIGKILL'),
      });
      expect(end.exit).toEqual([null, 'SIGKILL']);
      answered.push(...end.answered);
      const { faults, lines } = await verifyChain(file, KEY);
      expect(faults).toEqual([]);
      expect(lines).toBeGreaterThanOrEqual(answered.length);
      const recorded = startedIds(recordsOf(file));
      expect(answered.filter(id => !recorded.has(id))).toEqual([]);
    }
    expect(answered.length).toBeGreaterThanOrEqual(288);
    expect(readdirSync(dirname(file)).some(name => /\.\d{12}$/.test(name))).toBe(true);
  },
  120_000,
);
