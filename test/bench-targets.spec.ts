/* docs/performance.md quotes the performance targets that bench/targets.mjs measures. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');
const page = readFileSync(join(ROOT, 'docs/performance.md'), 'utf8');
const source = readFileSync(join(ROOT, 'bench/support/targets.mjs'), 'utf8');

/** Both bounds of each target, as `fastify express`, by the question that the target is about. */
const targets = [
  ...source.matchAll(/atLeast: (?:both\(([\d.]+)\)|\{ fastify: ([\d.]+), express: ([\d.]+) \})/g),
].map(([, both, fastify = both, express = both]) => `${fastify} ${express}`);
const quoted = [...page.matchAll(/≥ ([\d.]+) × +\| ≥ ([\d.]+) ×/g)].map(
  ([, fastify, express]) => `${fastify} ${express}`,
);

test('quotes each target of requests, in order', () => {
  expect(quoted.length).toBeGreaterThan(8);
  // The last target compares a run with its own first seconds.
  expect(quoted).toEqual(targets.slice(0, -1));
});

test('quotes the targets of the start', () => {
  const [, ms, mb] = /addedMs: (\d+), addedHeapMB: (\d+)/.exec(source) ?? [];
  expect(page).toContain(`add at most ${ms} ms and ${mb} MB of heap`);
});
