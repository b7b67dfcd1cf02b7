import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { changeKeyFile, FileKeyStore, readKeyFile } from '../../src/auth/file-key-store.js';
import { addKey, EMPTY_BOOK, KeyBookError, revokeKey, switchAgent } from '../../src/auth/key-book.js';
import { digests, NOW_MS } from '../support/keys.js';

const options = { prefix: 'ask', nowMs: NOW_MS };
const { book, id } = addKey(EMPTY_BOOK, 'bot', {}, digests, options);

describe('the file of keys', () => {
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

  it('is followed, and a revocation is told', async () => {
    write(JSON.stringify(book));
    await store.open(hooks);
    expect(store.find(id)).toMatchObject({ id, revoked: false });
    expect(store.find('another')).toBeUndefined();
    write(JSON.stringify(revokeKey(book, id, NOW_MS)));
    await store.refresh();
    expect(store.find(id)!.revoked).toBe(true);
    expect(revoked).toEqual([id]);
  });

  it('is followed by itself when it is replaced', async () => {
    write(JSON.stringify(book));
    store = new FileKeyStore(path, { pollMs: 20 });
    await store.open(hooks);
    const told = new Promise<string>(resolve => (hooks.revoked = resolve));
    write(JSON.stringify(switchAgent(book, 'bot', true)));
    expect(await told).toBe(id);
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
    write(JSON.stringify(switchAgent(book, 'bot', true)));
    await store.refresh();
    expect(store.find(id)!.agent.disabled).toBe(true);
    expect(revoked).toEqual([id]);
  });

  it('says nothing once it is closed, not of a look that was under way either', async () => {
    write(JSON.stringify(book));
    await store.open(hooks);
    rmSync(path);
    const look = store.refresh();
    store.close();
    await look;
    expect(warnings).toEqual([]);
  });

  it('must be there at the start', async () => {
    await expect(store.open(hooks)).rejects.toThrow(KeyBookError);
  });

  it('is replaced as a whole, for its owner only, and leaves nothing behind', async () => {
    expect(await readKeyFile(path)).toEqual(EMPTY_BOOK);
    await changeKeyFile(path, () => ({ book }));
    expect(await readKeyFile(path)).toEqual(book);
    expect(readdirSync(folder)).toEqual(['keys.json']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is changed by one command at a time', async () => {
    writeFileSync(`${path}.lock`, '');
    await expect(changeKeyFile(path, () => ({ book }))).rejects.toThrow('another command');
    const after = await Promise.allSettled(
      Array.from({ length: 5 }, (_each, index) =>
        changeKeyFile(join(folder, 'more.json'), old => addKey(old, `bot${index}`, {}, digests, options)),
      ),
    );
    const made = after.filter(({ status }) => status === 'fulfilled').length;
    expect(Object.keys((await readKeyFile(join(folder, 'more.json'))).agents)).toHaveLength(made);
    expect(made).toBeGreaterThan(0);
  });

  it('stays as it was when a change fails', async () => {
    write(JSON.stringify(book));
    await expect(
      changeKeyFile(path, () => {
        throw new KeyBookError('no');
      }),
    ).rejects.toThrow('no');
    expect(await readKeyFile(path)).toEqual(book);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });
});
