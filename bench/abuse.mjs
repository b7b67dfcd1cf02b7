/* Does an app survive a million hostile requests with nothing left behind? The abuse fuzzer of the tests (test/e2e/abuse.spec.ts), for
 * longer. `ABUSE_REQUESTS` sets how many requests, `ABUSE_SEED` repeats a run. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { readOptions } from './support/options.mjs';
import { ROOT } from './support/prepare.mjs';

const { smoke } = readOptions({ rounds: 1, seconds: 1 });
const { ABUSE_REQUESTS = smoke ? '1000' : '1000000' } = process.env;
const { status } = spawnSync(
  process.execPath,
  [join(ROOT, 'node_modules/jest/bin/jest.js'), 'test/e2e/abuse.spec.ts', '--maxWorkers=1'],
  { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ABUSE_REQUESTS } },
);
process.exitCode = status ?? 1;
