import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { resolveBody } from '../../src/body/body.options.js';
import { limitBody } from '../../src/body/limit-body.js';
import type { ProblemFields } from '../../src/common/problem.js';

/** The problems of JSON that arrives in these chunks. */
function problemsOf(chunks: readonly string[], length: number): ProblemFields[] {
  const headers = { 'content-type': 'application/json', 'content-length': String(length) };
  const raw = Object.assign(new Readable({ read: () => undefined }), { headers, method: 'POST' });
  const problems: ProblemFields[] = [];
  const options = resolveBody(undefined);
  if (options === false) throw new Error('The body is not limited.');
  limitBody(raw as unknown as IncomingMessage, options, problem => problems.push(problem));
  for (const chunk of chunks) raw.push(chunk);
  return problems;
}

const TWICE = '{"a":1,"b":{"a":1},"a":2}';

test.each<[title: string, chunks: readonly string[], length: number]>([
  ['in a body of one chunk', [TWICE], TWICE.length],
  ['in a body of two chunks', [TWICE.slice(0, 9), TWICE.slice(9)], TWICE.length],
  ['in a body that is longer than declared', [TWICE.slice(0, 9), TWICE.slice(9)], 9],
  ['behind a chunk of the declared length', [TWICE.slice(0, 9), TWICE.slice(9, 12), TWICE.slice(12)], 9],
])('finds a key that comes twice %s', (_title, chunks, length) => {
  expect(problemsOf(chunks, length)).toEqual([
    expect.objectContaining({ detail: expect.stringContaining('duplicate key') }),
  ]);
});
