import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileLock } from '../../src/common/file-lock.js';
import { changeKeyFile, FileKeyStore, readKeyFile } from '../../src/auth/file-key-store.js';
import { addKey, EMPTY_BOOK, KeyBookError, revokeKey, setAgentDisabled } from '../../src/auth/key-book.js';
import { runKeysCommand } from '../../src/cli/keys-command.js';
import { digests, NOW_MS } from '../support/keys.js';

/** Only root can give files away. */
const describeAsRoot = process.getuid?.() === 0 ? describe : describe.skip;

const options = { prefix: 'ask', nowMs: NOW_MS };
const { book, id } = addKey(EMPTY_BOOK, 'bot', {}, digests, options);

describe('FileKeyStore', () => {
  let folder = '';
  let path = '';
  let store: FileKeyStore;
  const warnings: string[] = [];
  const revoked: string[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keys-'));
    path = join(folder, 'keys.json');
    store = new FileKeyStore(path);
    warnings.length = revoked.length = 0;
  });
  afterEach(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const hooks = {
    warn: (message: string): void => void warnings.push(message),
    revoked: (keyId: string): void => void revoked.push(keyId),
  };
  const write = (text: string): void => {
    writeFileSync(`${path}.draft`, text);
    renameSync(`${path}.draft`, path);
  };

  it('reads changes and reports a revocation', async () => {
    write(JSON.stringify(book));
    await store.open(hooks);
    expect(store.find(id)).toMatchObject({ id, revoked: false });
    expect(store.find('another')).toBeUndefined();
    write(JSON.stringify(revokeKey(book, id, NOW_MS)));
    await store.refresh();
    expect(store.find(id)!.revoked).toBe(true);
    expect(revoked).toEqual([id]);
  });

  it.each([NaN, 0, -1, 9, 1.5, 30_001, Infinity, '1000'])('rejects the interval %p', pollMs => {
    expect(() => new FileKeyStore(path, { pollMs: pollMs as number })).toThrow(
      expect.objectContaining({ option: 'FileKeyStore.pollMs' }) as Error,
    );
  });

  it('reads a replaced file by itself', async () => {
    write(JSON.stringify(book));
    store = new FileKeyStore(path, { pollMs: 20 });
    await store.open(hooks);
    const revocation = new Promise<string>(resolve => (hooks.revoked = resolve));
    write(JSON.stringify(setAgentDisabled(book, 'bot', true)));
    expect(await revocation).toBe(id);
    expect(store.find(id)!.agent.disabled).toBe(true);
    hooks.revoked = keyId => void revoked.push(keyId);
  });

  it.each([
    ['broken', (): void => write('{'), 'is not JSON'],
    ['missing', (): void => rmSync(path), 'cannot be read (ENOENT)'],
    ['no book', (): void => write('{"agents":{}}'), 'must be an object'],
  ])('keeps the last good keys while it is %s, and says so once', async (_title, spoil, says) => {
    write(JSON.stringify(book));
    await store.open(hooks);
    spoil();
    await store.refresh();
    await store.refresh();
    expect(store.find(id)).toBeDefined();
    expect(warnings).toEqual([expect.stringContaining(says)]);
    write(JSON.stringify(setAgentDisabled(book, 'bot', true)));
    await store.refresh();
    expect(store.find(id)!.agent.disabled).toBe(true);
    expect(revoked).toEqual([id]);
  });

  it('reports nothing after it is closed, also from a pending reading', async () => {
    write(JSON.stringify(book));
    await store.open(hooks);
    rmSync(path);
    const look = store.refresh();
    store.close();
    await look;
    expect(warnings).toEqual([]);
  });

  it('requires the file at start-up', async () => {
    await expect(store.open(hooks)).rejects.toThrow(KeyBookError);
  });

  it('replaces the file atomically, readable for its owner only, without leftovers', async () => {
    expect(await readKeyFile(path)).toEqual(EMPTY_BOOK);
    await changeKeyFile(path, () => ({ book }));
    expect(await readKeyFile(path)).toEqual(book);
    expect(readdirSync(folder)).toEqual(['keys.json']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('allows one change at a time', async () => {
    const lock = await FileLock.acquire(`${path}.lock`);
    await expect(changeKeyFile(path, () => ({ book }))).rejects.toThrow('another command');
    await lock.release();
    const after = await Promise.allSettled(
      Array.from({ length: 5 }, (_each, index) =>
        changeKeyFile(join(folder, 'more.json'), old => addKey(old, `bot${index}`, {}, digests, options)),
      ),
    );
    const made = after.filter(({ status }) => status === 'fulfilled').length;
    expect(Object.keys((await readKeyFile(join(folder, 'more.json'))).agents)).toHaveLength(made);
    expect(made).toBeGreaterThan(0);
  });

  it('keeps the mode of the file and a symbolic link to it', async () => {
    write(JSON.stringify(EMPTY_BOOK));
    chmodSync(path, 0o640);
    const link = join(folder, 'link.json');
    symlinkSync(path, link);
    await changeKeyFile(link, () => ({ book }));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(await readKeyFile(path)).toEqual(book);
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('throws and warns after a minute without a successful reading', async () => {
    let nowMs = 0;
    store = new FileKeyStore(path, { nowMs: () => nowMs });
    write(JSON.stringify(book));
    await store.open(hooks);
    rmSync(path);
    nowMs = 60_000;
    await store.refresh();
    expect([store.find(id)!.id, store.findAgent('bot')!.id]).toEqual([id, 'bot']);
    nowMs = 60_001;
    await store.refresh();
    await store.refresh();
    const looks = [() => store.find(id), () => store.findAgent('bot')];
    for (const look of looks) expect(look).toThrow('have not been read for too long');
    expect(warnings.filter(text => text.includes('gets 503'))).toHaveLength(1);
    write(JSON.stringify(book));
    await store.refresh();
    expect(store.find(id)).toBeDefined();
    expect(warnings.at(-1)).toContain('can be read again');
  });

  it('stays fresh while the file is read and unchanged', async () => {
    let nowMs = 0;
    store = new FileKeyStore(path, { nowMs: () => nowMs });
    write(JSON.stringify(book));
    await store.open(hooks);
    nowMs = 59_000;
    await store.refresh();
    nowMs = 118_000;
    expect(store.find(id)).toBeDefined();
  });

  it('keeps the file if a change fails', async () => {
    write(JSON.stringify(book));
    await expect(
      changeKeyFile(path, () => {
        throw new KeyBookError('no');
      }),
    ).rejects.toThrow('no');
    expect(await readKeyFile(path)).toEqual(book);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  describeAsRoot('of another owner', () => {
    const [uid, gid, stranger] = [12_345, 54_321, 23_456];
    beforeEach(() => {
      chmodSync(folder, 0o777);
      write(JSON.stringify(book));
      chmodSync(path, 0o640);
      chownSync(path, uid, gid);
    });
    const accessOf = (): unknown => {
      const stats = statSync(path);
      return [stats.uid, stats.gid, stats.mode & 0o7777];
    };

    it('keeps owner, group and mode when root changes it', async () => {
      await changeKeyFile(path, old => ({ book: revokeKey(old, id, NOW_MS) }));
      expect(accessOf()).toEqual([uid, gid, 0o640]);
      expect((await readKeyFile(path)).keys[0]!.revoked).toBeDefined();
    });

    it('keeps the file, and the command fails, if the owner cannot be kept', async () => {
      chmodSync(path, 0o644);
      process.seteuid!(stranger);
      try {
        const said: string[] = [];
        const io = {
          env: {},
          nowMs: NOW_MS,
          out: () => undefined,
          err: (text: string) => void said.push(text),
        };
        expect(await runKeysCommand(['keys', 'revoke', id, '--file', path], io)).toBe(1);
        expect(said).toEqual([expect.stringMatching(/^Failed: .*its owner, group and mode \(EPERM\)/)]);
      } finally {
        process.seteuid!(0);
      }
      expect([accessOf(), await readKeyFile(path)]).toEqual([[uid, gid, 0o644], book]);
      expect(readdirSync(folder)).toEqual(['keys.json']);
    });
  });
});
