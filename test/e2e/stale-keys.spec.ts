/* A key file that becomes unreadable: revoked keys must not stay valid forever. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileKeyStore } from '../../src/index.js';
import { HomeController } from '../support/controllers.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

describe.each(PLATFORMS)('a key file that is missing on %s', (_title, platform) => {
  it('answers 503 and logs a warning after a minute, until the file can be read again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keys-'));
    try {
      const path = join(folder, 'keys.json');
      const keys = new TestKeys();
      const { key } = keys.add('bot');
      const save = (): void => writeFileSync(path, JSON.stringify(keys.book));
      save();
      let nowMs = 0;
      const store = new FileKeyStore(path, { nowMs: () => nowMs });
      const app = await start(platform, {
        controllers: [HomeController],
        options: { auth: { apiKeys: { store, secret: SECRET } } },
      });
      const send = () => app.send('/', { headers: { Authorization: `Bearer ${key}` } });
      rmSync(path);
      nowMs = 60_000;
      await store.refresh();
      expect((await send()).status).toBe(200);
      nowMs = 60_001;
      await store.refresh();
      const late = await send();
      expect([late.status, late.json().code]).toEqual([503, 'identity_unavailable']);
      expect(app.logger.find('every request with a key gets 503')).toHaveLength(1);
      save();
      await store.refresh();
      expect((await send()).status).toBe(200);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
