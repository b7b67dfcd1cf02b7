/* The audit file: what the verifier of its chain finds, how it continues after a crash, and that one process writes it. */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { LinkedFile } from '../../src/audit/linked-file.js';
import { verifyChain } from '../../src/audit/verify-chain.js';
import { fileSink, KEY, lines, scratchFile, writeChain } from './support.js';

const TOOLS = ['one', 'two', 'three', 'four', 'five', 'six'];
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const kinds = async (path: string, key?: string): Promise<string[]> =>
  (await verifyChain(path, key)).faults.map(({ kind }) => kind);

describe.each([
  ['without a key', undefined],
  ['with a key', KEY],
])('a chain %s', (_title, key) => {
  const chain = async (): Promise<string> => {
    const path = scratchFile();
    await writeChain(path, TOOLS, key === undefined ? {} : { key });
    return path;
  };

  it('is whole as it was written', async () => {
    const report = await verifyChain(await chain(), key);
    expect(report).toMatchObject({ lines: 6, first: 1, last: 6, faults: [], notes: [] });
  });

  it('is whole before its first line, and behind it', async () => {
    const path = scratchFile();
    for (const tools of [[], ['one']]) {
      await writeChain(path, tools, key === undefined ? {} : { key });
      expect(await verifyChain(path, key)).toMatchObject({ lines: tools.length, faults: [], notes: [] });
    }
  });

  it.each([
    ['of equal length', TOOLS.length],
    ['with lines after the confirmed one', TOOLS.length + 4],
  ])('shows that another chain of the same key took its place: one %s', async (_longer, count) => {
    const path = await chain();
    const other = scratchFile();
    const tools = Array.from({ length: count }, (_, index) => `other ${index}`);
    await writeChain(other, tools, key === undefined ? {} : { key });
    copyFileSync(other, path);
    expect(await kinds(path, key)).toEqual(['unlinked']);
  });

  it('shows every flipped bit of a line', async () => {
    const path = await chain();
    const content = readFileSync(path);
    const begin = content.indexOf('\n') + 1;
    const end = content.indexOf('\n', begin);
    const missed: number[] = [];
    for (let at = begin; at <= end; at += 1) {
      const changed = Buffer.from(content);
      changed[at] = changed[at]! ^ (1 << (at % 8));
      writeFileSync(path, changed);
      if ((await kinds(path, key)).length === 0) missed.push(at - begin);
    }
    expect(missed).toEqual([]);
  });

  type Change = [title: string, change: (all: string[]) => string[], expected: string[]];
  const changes: Change[] = [
    ['a line dropped from the middle', all => all.toSpliced(2, 1), ['missing']],
    ['several lines dropped', all => all.toSpliced(1, 3), ['missing']],
    ['the first line dropped', all => all.slice(1), ['missing']],
    ['two neighbours swapped', ([a, b, c, ...rest]) => [a!, c!, b!, ...rest], ['moved']],
    ['two lines swapped', ([a, b, c, d, ...rest]) => [a!, d!, c!, b!, ...rest], ['moved', 'moved']],
    ['a line repeated', ([a, b, ...rest]) => [a!, b!, b!, ...rest], ['moved']],
    ['the last line cut', all => all.slice(0, -1), ['truncated']],
    ['all lines but one cut', all => all.slice(0, 1), ['truncated']],
    ['every line cut', () => [], ['truncated']],
    [
      'an inserted line of another chain',
      ([a, ...rest]) => [a!, '{"tool":"forged"}', ...rest],
      ['changed', 'moved', 'moved', 'moved', 'moved', 'moved'],
    ],
  ];
  it.each(changes)('shows %s', async (_case, change, expected) => {
    const path = await chain();
    const all = change(linesOf(path));
    writeFileSync(path, all.map(line => `${line}\n`).join(''));
    const found = await kinds(path, key);
    expect(found.slice(0, 1)).toEqual(expected.slice(0, 1));
    expect(new Set(found)).toEqual(new Set(expected));
  });

  it('shows a tail that was cut in the middle of a line', async () => {
    const path = await chain();
    truncateSync(path, readFileSync(path).length - 10);
    expect(await kinds(path, key)).toEqual(['changed', 'truncated']);
  });

  it.each([
    ['is missing', undefined],
    ['is empty', ''],
    ['is something else', 'x'.repeat(1024)],
  ])('says that its head %s', async (_case, content) => {
    const path = await chain();
    if (content === undefined) renameSync(`${path}.head`, `${path}.gone`);
    else writeFileSync(`${path}.head`, content);
    expect(await kinds(path, key)).toEqual(['head']);
    await expect(fileSink(path, key === undefined ? {} : { key }).open()).rejects.toMatchObject({
      code: 'ASEC_AUDIT_FILE',
    });
  });

  it('shows every changed byte of its head', async () => {
    const path = await chain();
    const head = readFileSync(`${path}.head`);
    const missed: number[] = [];
    for (let at = 0; at < head.length; at += 3) {
      const changed = Buffer.from(head);
      changed[at] = changed[at]! ^ 1;
      writeFileSync(`${path}.head`, changed);
      if ((await kinds(path, key)).length === 0) missed.push(at);
    }
    expect(missed).toEqual([]);
  });

  it('continues over restarts', async () => {
    const path = await chain();
    await writeChain(path, ['seven', 'eight'], key === undefined ? {} : { key });
    expect(await verifyChain(path, key)).toMatchObject({ lines: 8, last: 8, faults: [], notes: [] });
  });
});

describe('a key', () => {
  it('is needed, and is the one', async () => {
    const path = scratchFile();
    await writeChain(path, TOOLS, { key: KEY });
    expect((await verifyChain(path, undefined)).faults[0]!.text).toContain('was made by hmac-sha256');
    expect((await kinds(path, `${KEY}!`))[0]).toBe('head');
    await expect(fileSink(path).open()).rejects.toThrow('has a head made by hmac-sha256');
  });

  it('detects a new chain that was made without it', async () => {
    const path = scratchFile();
    await writeChain(path, TOOLS, { key: KEY });
    const forged = scratchFile();
    await writeChain(forged, ['one', 'two']);
    copyFileSync(forged, path);
    copyFileSync(`${forged}.head`, `${path}.head`);
    expect(await kinds(path, KEY)).toEqual(['head', 'changed', 'changed']);
  });
});

describe('behind a crash', () => {
  it('keeps whole lines that were not confirmed, cuts an unfinished one and says so', async () => {
    const path = scratchFile();
    await writeChain(path, ['one', 'two']);
    const head = readFileSync(`${path}.head`);
    await writeChain(path, ['three', 'four']);
    writeFileSync(`${path}.head`, head);
    const content = readFileSync(path);
    writeFileSync(path, content.subarray(0, content.length - 5));
    expect(await verifyChain(path, undefined)).toMatchObject({
      faults: [],
      notes: [expect.stringContaining('unfinished line'), expect.stringContaining('not yet confirmed')],
    });
    await writeChain(path, ['five']);
    expect(linesOf(path).map(line => (JSON.parse(line) as { event: string; tool?: string }).tool)).toEqual([
      'one',
      'two',
      'three',
      undefined,
      'five',
    ]);
    expect(JSON.parse(linesOf(path)[3]!)).toMatchObject({
      event: 'recovered',
      count: expect.any(Number),
      seq: 4,
    });
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 5, faults: [], notes: [] });
  });

  it('cuts off more than it writes in its place', async () => {
    const path = scratchFile();
    await writeChain(path, ['one']);
    appendFileSync(path, `{"tool":"${'x'.repeat(5_000)}`);
    await writeChain(path, []);
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 2, faults: [], notes: [] });
  });

  it('does not begin on a file whose tail was cut', async () => {
    const path = scratchFile();
    await writeChain(path, TOOLS);
    writeFileSync(path, `${linesOf(path).slice(0, 4).join('\n')}\n`);
    await expect(fileSink(path).open()).rejects.toMatchObject({
      code: 'ASEC_AUDIT_FILE',
      message: expect.stringContaining('ends before its line 6'),
    });
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('does not begin on a file whose last line was changed', async () => {
    const path = scratchFile();
    await writeChain(path, TOOLS);
    const content = readFileSync(path);
    content[content.length - 10]! ^= 1;
    writeFileSync(path, content);
    await expect(fileSink(path).open()).rejects.toThrow('has another line 6 than its head says');
  });
});

describe('rotation', () => {
  it('sets a full file aside and continues in a new one', async () => {
    const path = scratchFile();
    const sink = fileSink(path, { maxFileBytes: 400 });
    await sink.open();
    for (const tool of TOOLS) await sink.write(lines(tool));
    await sink.close();
    const names = readdirSync(dirname(path)).toSorted();
    expect(names).toEqual([
      'audit.log',
      'audit.log.000000000001',
      'audit.log.000000000003',
      'audit.log.head',
    ]);
    const report = await verifyChain(path, undefined);
    expect(report).toMatchObject({ lines: 6, first: 1, last: 6, faults: [], notes: [] });
    // A line of a file that was set aside is as safe as one of the last.
    const aside = `${path}.000000000001`;
    writeFileSync(aside, `${linesOf(aside).slice(0, -1).join('\n')}\n`);
    expect(await kinds(path)).toEqual(['missing']);
  });

  it('accepts a file that another program set aside under its number', async () => {
    const path = scratchFile();
    await writeChain(path, TOOLS);
    renameSync(path, `${path}.000000000001`);
    const notices = await writeChain(path, ['seven']);
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 7, first: 1, faults: [], notes: [] });
    expect(notices).toEqual([]);
  });

  it('does not take another file under its number for a rotation', async () => {
    const path = scratchFile();
    await writeChain(path, TOOLS);
    renameSync(path, `${path}.gone`);
    writeFileSync(`${path}.000000000001`, 'x'.repeat(10_000), { mode: 0o600 });
    expect(await writeChain(path, ['seven'])).toHaveLength(1);
  });

  it('continues after a crash in the middle of a rotation', async () => {
    const path = scratchFile();
    const sink = fileSink(path, { maxFileBytes: 400 });
    await sink.open();
    for (const tool of ['one', 'two']) await sink.write(lines(tool));
    // The new file cannot be made for as long as a directory has its place.
    renameSync(path, `${path}.000000000001`);
    mkdirSync(path);
    for (let time = 0; time < 2; time++) await expect(sink.write(lines('three'))).rejects.toThrow();
    rmdirSync(path);
    await sink.write(lines('three'));
    await sink.close();
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 3, last: 3, faults: [], notes: [] });
  });
});

describe.each([
  ['without a key', undefined],
  ['with a key', KEY],
])('a file that has lost its lines, %s', (_title, key) => {
  const options = key === undefined ? {} : { key };
  const losses: [title: string, lose: (path: string) => void][] = [
    ['removed', path => rmSync(path)],
    ['moved away', path => renameSync(path, `${path}.moved`)],
    ['truncated to zero', path => truncateSync(path)],
    [
      'replaced by an empty one',
      path => {
        rmSync(path);
        writeFileSync(path, '', { mode: 0o600 });
      },
    ],
  ];

  it.each(losses)('%s, is reported while it has none', async (_case, lose) => {
    const path = scratchFile();
    await writeChain(path, TOOLS, options);
    lose(path);
    expect(await kinds(path, key)).toEqual(['truncated']);
  });

  it.each(losses)(
    '%s before a start, continues, and is reported by the start, the chain and its verifier',
    async (_case, lose) => {
      const path = scratchFile();
      await writeChain(path, TOOLS, options);
      lose(path);
      expect(await writeChain(path, ['seven'], options)).toEqual([
        expect.stringContaining('has lost its lines 1 to 6'),
      ]);
      expect(JSON.parse(linesOf(path)[0]!)).toMatchObject({ event: 'reopened', count: 6, seq: 7 });
      const report = await verifyChain(path, key);
      expect(report.faults).toEqual([{ kind: 'missing', text: 'Lines 1 to 6 are missing.' }]);
      // With the first line number given, nothing is missing.
      expect(await verifyChain(path, key, 7)).toMatchObject({ lines: 2, first: 7, last: 8, faults: [] });
      expect((await verifyChain(path, key, 6)).faults).toEqual([
        { kind: 'missing', text: 'Line 6 is missing.' },
      ]);
    },
  );

  it.each(losses)('%s while it is written, is not confirmed, and is reported', async (_case, lose) => {
    const path = scratchFile();
    const sink = fileSink(path, options);
    await sink.open();
    for (const tool of TOOLS) await sink.write(lines(tool));
    lose(path);
    await expect(sink.write(lines('seven'))).rejects.toThrow('was removed, replaced or cut');
    await sink.write(lines('seven'));
    await sink.write(lines('eight'));
    expect(linesOf(path).map(line => (JSON.parse(line) as { tool?: string }).tool)).toEqual([
      undefined,
      'seven',
      'eight',
    ]);
    await sink.close();
    expect(await kinds(path, key)).toEqual(['missing']);
    await writeChain(path, ['nine'], options);
    expect(await kinds(path, key)).toEqual(['missing']);
  });

  it('removed in the middle of a write, is not confirmed', async () => {
    const path = scratchFile();
    const sink = fileSink(path, options);
    await sink.open();
    const datasync = jest
      .spyOn(LinkedFile.prototype, 'datasync')
      .mockImplementationOnce(async () => rmSync(path));
    await expect(sink.write(lines('one'))).rejects.toThrow('was removed, replaced or cut');
    expect(datasync).toHaveBeenCalled();
    await sink.write(lines('one'));
    await sink.close();
    expect(linesOf(path).at(-1)).toContain('"tool":"one"');
  });

  it('in part while it is written, accepts no more records', async () => {
    const path = scratchFile();
    const sink = fileSink(path, options);
    await sink.open();
    for (const tool of TOOLS) await sink.write(lines(tool));
    truncateSync(path, 300);
    for (let time = 0; time < 3; time++) await expect(sink.write(lines('seven'))).rejects.toThrow();
    await sink.close();
    expect((await kinds(path, key)).at(-1)).toBe('truncated');
  });

  it('is reported where the first file that was set aside is removed', async () => {
    const path = scratchFile();
    const sink = fileSink(path, { ...options, maxFileBytes: 400 });
    await sink.open();
    for (const tool of TOOLS) await sink.write(lines(tool));
    await sink.close();
    expect(await kinds(path, key)).toEqual([]);
    rmSync(`${path}.000000000001`);
    expect(await kinds(path, key)).toEqual(['missing']);
    expect((await verifyChain(path, key, 3)).faults).toEqual([]);
  });
});

describe('a head', () => {
  it.each([
    ['removed', (path: string) => rmSync(path)],
    ['replaced', (path: string) => (rmSync(path), writeFileSync(path, 'x'.repeat(1_024), { mode: 0o600 }))],
  ])('%s while its file is written, is made anew', async (_title, lose) => {
    const path = scratchFile();
    const sink = fileSink(path);
    await sink.open();
    await sink.write(lines('one'));
    lose(`${path}.head`);
    await expect(sink.write(lines('two'))).rejects.toThrow('.head was removed or replaced');
    await sink.write(lines('two'));
    await sink.close();
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 2, faults: [], notes: [] });
    await writeChain(path, ['three']);
  });
});

describe('bytes of another program after the last line', () => {
  it('are cut off while the file is written, and the chain says so', async () => {
    const path = scratchFile();
    const sink = fileSink(path);
    await sink.open();
    await sink.write(lines('one'));
    appendFileSync(path, `${'x'.repeat(5_000)}\n`);
    await sink.write(lines('two'));
    await sink.close();
    const [, second] = linesOf(path);
    expect(JSON.parse(second!)).toMatchObject({ event: 'recovered', count: 5_001 });
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 3, faults: [], notes: [] });
  });
});

const asRoot = process.geteuid?.() === 0;
describe('a file that another user made', () => {
  const cases: [title: string, spoil: (path: string) => void, message: string][] = [
    [
      'that its group can write',
      path => chmodSync(path, 0o660),
      'its group or others can write it (mode 660)',
    ],
    [
      'that everybody can write',
      path => chmodSync(path, 0o602),
      'its group or others can write it (mode 602)',
    ],
    ['that is a directory', path => (rmSync(path), mkdirSync(path)), 'it is no regular file'],
  ];
  describe.each(['', '.head'])('at FILE%s', suffix => {
    it.each(cases)('%s, stops the start-up', async (_title, spoil, message) => {
      const path = scratchFile();
      writeFileSync(`${path}${suffix}`, '', { mode: 0o600 });
      spoil(`${path}${suffix}`);
      await expect(fileSink(path).open()).rejects.toMatchObject({
        code: 'ASEC_AUDIT_FILE',
        message: expect.stringContaining(
          `${suffix === '' ? '' : `${path}.head`} cannot be trusted: ${message}`.trim(),
        ),
      });
      expect(existsSync(`${path}.lock`)).toBe(false);
    });
  });

  // Only root can give a file away.
  const mayGiveAway = asRoot || process.env['REQUIRE_ALL_SUITES'] === '1';
  (mayGiveAway ? describe : describe.skip)('and that is of another user', () => {
    it.each(['', '.head'])('at FILE%s, stops the start-up', async suffix => {
      const path = scratchFile();
      writeFileSync(`${path}${suffix}`, '', { mode: 0o600 });
      chownSync(`${path}${suffix}`, 65_534, 65_534);
      await expect(fileSink(path).open()).rejects.toMatchObject({
        code: 'ASEC_AUDIT_FILE',
        message: expect.stringContaining('cannot be trusted: it is owned by UID 65534, not 0'),
      });
    });
  });

  it('accepts no record while the app runs, and does not stop it', async () => {
    const path = scratchFile();
    const sink = fileSink(path);
    await sink.open();
    await sink.write(lines('one'));
    rmSync(path);
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    for (let time = 0; time < 3; time++) await expect(sink.write(lines('two'))).rejects.toThrow();
    expect(readFileSync(path, 'utf8')).toBe('');
    rmSync(path);
    await sink.write(lines('two'));
    await sink.close();
  });
});

describe('one writer', () => {
  it('can write, a second one is rejected, and the next one can write afterwards', async () => {
    const path = scratchFile();
    const first = fileSink(path);
    await first.open();
    await expect(fileSink(path).open()).rejects.toMatchObject({
      code: 'ASEC_AUDIT_FILE',
      message: expect.stringMatching(
        new RegExp(
          `is in use already in this process \\(PID ${process.pid} on .*Another app or module of this process`,
        ),
      ),
    });
    await first.write(lines('one'));
    await first.close();
    await writeChain(path, ['two']);
    expect(await verifyChain(path, undefined)).toMatchObject({ lines: 2, faults: [] });
  });

  it('stops when another has taken its place', async () => {
    const path = scratchFile();
    const sink = fileSink(path);
    await sink.open();
    writeFileSync(`${path}.lock`, '{"nonce":"other","pid":1,"host":"elsewhere"}');
    await expect(sink.write(lines('one'))).rejects.toThrow('another process has taken the file over');
    await sink.close();
    expect(existsSync(`${path}.lock`)).toBe(true);
  });

  it('does not follow a link', async () => {
    const path = scratchFile();
    symlinkSync(`${path}.elsewhere`, path);
    await expect(fileSink(path).open()).rejects.toMatchObject({ code: 'ASEC_AUDIT_FILE' });
    expect(existsSync(`${path}.elsewhere`)).toBe(false);
  });

  it('has a directory', async () => {
    const path = `${scratchFile()}/nowhere/audit.log`;
    await expect(fileSink(path).open()).rejects.toThrow(`${basename(path)}" cannot be opened`);
  });
});
