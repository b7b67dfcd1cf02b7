import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileKeyStore } from '../../src/auth/file-key-store.js';
import { addKey, EMPTY_BOOK, setAgentDisabled } from '../../src/auth/key-book.js';
import { digests, NOW_MS } from '../support/keys.js';

// As on file systems with coarse clocks: two changes within one step have the same times.
jest.mock('node:fs/promises', () => ({
  ...jest.requireActual<object>('node:fs/promises'),
  stat: async () => ({ ino: 1, size: 1, mtimeMs: 1, ctimeMs: 1, mode: 0o600, uid: 0, gid: 0 }),
}));

it('reads a change that keeps the inode, the size and the times of the file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  const path = join(folder, 'keys.json');
  const { book, id } = addKey(EMPTY_BOOK, 'bot', {}, digests, { prefix: 'ask', nowMs: NOW_MS });
  writeFileSync(path, JSON.stringify(book));
  const store = new FileKeyStore(path);
  const revoked: string[] = [];
  try {
    await store.open({ warn: () => undefined, revoked: keyId => void revoked.push(keyId) });
    const before = store.find(id);
    await store.refresh();
    expect(store.find(id)).toBe(before);
    writeFileSync(path, JSON.stringify(setAgentDisabled(book, 'bot', true)));
    await store.refresh();
    expect(store.find(id)!.agent.disabled).toBe(true);
    expect(revoked).toEqual([id]);
  } finally {
    store.close();
    rmSync(folder, { recursive: true });
  }
});
