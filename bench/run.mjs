/* Runs the benches: all of them, or those that are named. `node bench/run.mjs [name…] [--smoke] [options]` */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BENCH, prepare } from './support/prepare.mjs';

const BENCHES = [
  'targets',
  'regression',
  'stack',
  'limiter',
  'clients',
  'accuracy',
  'startup',
  'redis',
  'capacity',
  'auth-timing',
  'auth-soak',
  'tokens',
  'amplification',
  'soak',
  'abuse',
];

const args = process.argv.slice(2);
const names = args.filter(arg => !arg.startsWith('-'));
const passedOn = args.filter(arg => arg.startsWith('-'));
const unknown = names.filter(name => !BENCHES.includes(name));
if (unknown.length > 0) {
  console.error(`bench: no bench is called ${unknown.join(', ')}; there are ${BENCHES.join(', ')}`);
  process.exit(1);
}

prepare();
for (const name of names.length === 0 ? BENCHES : names) {
  const { status } = spawnSync(process.execPath, [join(BENCH, `${name}.mjs`), ...passedOn], {
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`bench: ${name} failed`);
    process.exit(1);
  }
}
