import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { auditVerify } from '../../src/cli/audit-verify.js';
import { KEY, scratchFile, writeChain } from './support.js';

const run = async (
  args: string[],
  env: Record<string, string> = {},
): Promise<[status: number, out: string, err: string]> => {
  let [out, err] = ['', ''];
  const status = await auditVerify(args, { env, out: text => (out += text), err: text => (err += text) });
  return [status, out, err];
};

it('says that a chain is whole', async () => {
  const path = scratchFile();
  await writeChain(path, ['one', 'two'], { key: KEY });
  const hash = /"hash":"([\da-f]{64})"\}\n$/.exec(readFileSync(path, 'utf8'))![1]!;
  const expected = `The chain is whole: 2 whole lines in 1 file(s), numbers 1 to 2.\nLast hash: ${hash}\n`;
  expect(await run([path], { AUDIT_KEY: KEY })).toEqual([0, expected, '']);
  const keyFile = `${path}.key`;
  writeFileSync(keyFile, `${KEY}\n`);
  expect((await run([path, '--key-file', keyFile]))[0]).toBe(0);
});

it('says what is wrong with one that is not', async () => {
  const path = scratchFile();
  await writeChain(path, ['one', 'two']);
  writeFileSync(path, readFileSync(path, 'utf8').replace('"two"', '"twi"'));
  const [status, out] = await run([path]);
  expect(status).toBe(1);
  expect(out).toMatch(/^FAULT changed: audit\.log:2 was changed \(line 2 stands there\)\.\n/);
  expect(out).toContain('The chain is broken: 1 whole lines in 1 file(s), numbers 1 to 1.');
});

it('says what it is missing', async () => {
  const path = scratchFile();
  await writeChain(path, ['one'], { key: KEY });
  const [status, out] = await run([path]);
  expect([status, out]).toEqual([
    1,
    expect.stringContaining('was made by hmac-sha256, and is verified by sha256: pass its key'),
  ]);
});

it('reads a file that has bytes after its last line', async () => {
  const path = scratchFile();
  await writeChain(path, ['one']);
  appendFileSync(path, '{"time":');
  const [status, out] = await run([path]);
  expect([status, out]).toEqual([0, expect.stringContaining('Note: 8 bytes of an unfinished line')]);
});

it('reports lines that are not there, but those that are kept elsewhere', async () => {
  const path = scratchFile();
  await writeChain(path, ['one', 'two']);
  renameSync(path, `${path}.moved`);
  const [gone, goneOut] = await run([path]);
  expect([gone, goneOut]).toEqual([1, expect.stringContaining('FAULT truncated: Lines 1 to 2 are missing')]);
  await writeChain(path, ['three']);
  const [status, out] = await run([path]);
  expect([status, out]).toEqual([1, expect.stringMatching(/^FAULT missing: Lines 1 to 2 are missing\.\n/)]);
  expect((await run([path, '--from', '3']))[0]).toBe(0);
  expect((await run([path, '--from', '2']))[0]).toBe(1);
  // What is there is verified, whatever has to be.
  renameSync(`${path}.moved`, `${path}.000000000001`);
  const whole = expect.stringContaining('4 whole lines in 2 file(s), numbers 1 to 4.');
  for (const args of [[path], [path, '--from', '3']])
    expect((await run(args)).slice(0, 2)).toEqual([0, whole]);
});

it.each([
  ['--from 0', ['a', '--from', '0'], '--from must be the number of a line, received "0".'],
  ['--from x', ['a', '--from', 'x'], '--from must be the number of a line'],
  ['no file', [], 'Name one file.'],
  ['two files', ['a', 'b'], 'Name one file.'],
  ['an unknown option', ['a', '--keys'], 'Usage:'],
  ['a file that is not there', ['/nowhere/audit.log'], 'ENOENT'],
  ['a key that is not there', ['a', '--key-file', '/nowhere/key'], 'ENOENT'],
])('rejects %s', async (_title, args, message) => {
  const [status, out, err] = await run(args);
  expect([status, out, err]).toEqual([2, '', expect.stringContaining(message)]);
});

it('explains itself', async () => {
  expect(await run(['--help'])).toEqual([
    0,
    expect.stringMatching(/^Usage: nestjs-agent-security audit verify FILE/),
    '',
  ]);
});
