import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditLine } from '../../src/audit/audit-record.js';
import { FileSink } from '../../src/audit/file-sink.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** The path of an audit file in a directory of its own, which goes with the test. */
export function scratchFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'audit-'));
  directories.push(directory);
  return join(directory, 'audit.log');
}

export const KEY = 'a key of the tests, long enough for one';

export function lines(...tools: string[]): AuditLine[] {
  return tools.map(tool => {
    const record = { time: '2030-01-01T00:00:00.000Z', event: 'finished' as const, tool };
    return { record, text: JSON.stringify(record) };
  });
}

export function fileSink(
  path: string,
  options: { key?: string; maxFileBytes?: number; notices?: string[] } = {},
): FileSink {
  const { key, maxFileBytes = 1_000_000, notices } = options;
  const log = { log: () => undefined, error: (text: string) => notices?.push(text) };
  return new FileSink({ path, key, maxFileBytes, now: () => 0, log });
}

/** Makes a closed file with these lines, or adds them, each confirmed by itself. @returns what the start has reported */
export async function writeChain(
  path: string,
  tools: string[],
  options: { key?: string } = {},
): Promise<string[]> {
  const notices: string[] = [];
  const sink = fileSink(path, { ...options, notices });
  await sink.open();
  for (const tool of tools) await sink.write(lines(tool));
  await sink.close();
  return notices;
}
