import { ApiKeyVerifier } from '../../src/auth/api-key-verifier.js';
import { addKey, EMPTY_BOOK, KeyBookError, revokeKey } from '../../src/auth/key-book.js';
import { createRedisKeyStore, RedisKeyStore, type RedisKeyStoreOptions } from '../../src/redis/key-store.js';
import { ManualClock } from '../support/clock.js';
import { digests, NOW_MS } from '../support/keys.js';
import { freePort } from '../support/free-port.js';
import { describeWithRedis, type RedisServer, startRedis, until } from '../support/redis.js';
import { CLIENTS, type ConnectedClient } from '../support/redis-clients.js';

const options = { prefix: 'ask', nowMs: NOW_MS };
const { book, id, key } = addKey(EMPTY_BOOK, 'bot', { scopes: ['a'] }, digests, options);

describeWithRedis.each(CLIENTS)('RedisKeyStore through %s', (_title, connect) => {
  let redis: RedisServer;
  let connected: ConnectedClient;
  let nowMs = 0;
  const warnings: string[] = [];
  const revoked: string[] = [];
  const hooks = {
    warn: (message: string): void => void warnings.push(message),
    revoked: (keyId: string): void => void revoked.push(keyId),
  };
  const stores: RedisKeyStore[] = [];
  const create = (more: Partial<RedisKeyStoreOptions> = {}): RedisKeyStore => {
    const store = new RedisKeyStore({ client: connected.client, nowMs: () => nowMs, ...more });
    stores.push(store);
    return store;
  };
  beforeAll(async () => {
    redis = await startRedis();
    connected = await connect([redis.port]);
  });
  beforeEach(() => {
    nowMs = warnings.length = revoked.length = 0;
    return redis.command('FLUSHALL');
  });
  afterEach(() => {
    for (const store of stores.splice(0)) void store.close();
  });

  it('begins empty, and follows what another process writes', async () => {
    const [reader, writer] = [create(), create()];
    await reader.open(hooks);
    expect(reader.find(id)).toBeUndefined();
    await writer.write(book, (await writer.read()).version);
    expect((await writer.read()).book).toEqual(book);
    await reader.refresh();
    expect(reader.find(id)).toMatchObject({ id, revoked: false });
    const { version } = await writer.read();
    await writer.write(revokeKey(book, id, NOW_MS), version);
    await reader.refresh();
    expect(reader.find(id)!.revoked).toBe(true);
    expect(revoked).toEqual([id]);
  });

  it('rejects a write if the keys have changed since they were read', async () => {
    const [one, other] = [create(), create()];
    const { version } = await one.read();
    await other.write(book, version);
    await expect(one.write(EMPTY_BOOK, version)).rejects.toThrow('another command');
    expect((await one.read()).book).toEqual(book);
  });

  it('reads the keys of a Redis that was restored to an older state and then changed', async () => {
    const [reader, writer] = [create(), create()];
    const { version: none } = await writer.read();
    await writer.write(book, none);
    const first = await redis.command('HGET', 'agent-security:keys', 'version');
    const other = addKey(book, 'other', {}, digests, options).book;
    await writer.write(other, (await writer.read()).version);
    await reader.open(hooks);
    expect(reader.find(id)).toMatchObject({ revoked: false });
    await redis.command('HSET', 'agent-security:keys', 'version', first, 'book', JSON.stringify(book));
    await writer.write(revokeKey(book, id, NOW_MS), (await writer.read()).version);
    await reader.refresh();
    expect(reader.find(id)).toMatchObject({ revoked: true });
    expect(revoked).toContain(id);
  });

  it('gives each book a version of its own', async () => {
    const writer = create();
    const versions = new Set<string>();
    for (let round = 0; round < 3; round++) {
      await redis.command('FLUSHALL');
      for (let change = 0; change < 3; change++) {
        await writer.write(book, (await writer.read()).version);
        versions.add((await writer.read()).version);
      }
    }
    expect(versions.size).toBe(9);
  });

  it('learns of a change by a message, long before it would ask', async () => {
    const [reader, writer] = [create({ refreshMs: 60_000 }), create()];
    await reader.open(hooks);
    await untilSubscribed(redis, 1);
    await writer.write(book, (await writer.read()).version);
    await until(() => reader.find(id) !== undefined);
    await writer.write(revokeKey(book, id, NOW_MS), (await writer.read()).version);
    await until(() => reader.find(id)!.revoked === true);
    expect(revoked).toEqual([id]);
    await reader.close();
    await untilSubscribed(redis, 0);
  });

  it('learns of changes again after Redis was restarted, also of those meanwhile', async () => {
    const own = await startRedis();
    const { client } = await connect([own.port]);
    const [reader, writer] = [create({ client, refreshMs: 60_000 }), create({ client })];
    await reader.open(hooks);
    await untilSubscribed(own, 1);
    await own.kill();
    await own.start();
    await until(async () => {
      const { version } = await writer.read().catch(() => ({ version: undefined }));
      if (version !== undefined) await writer.write(book, version);
      return version !== undefined;
    });
    await until(() => reader.find(id) !== undefined);
    await untilSubscribed(own, 1);
    await writer.write(revokeKey(book, id, NOW_MS), (await writer.read()).version);
    await until(() => reader.find(id)!.revoked === true);
    expect(revoked).toEqual([id]);
  });

  it('reads the keys only if they have changed', async () => {
    const store = create();
    await store.write(book, (await store.read()).version);
    await store.open(hooks);
    const before = store.find(id);
    await store.refresh();
    expect(store.find(id)).toBe(before);
  });

  it('disables an agent in every process, at once in its own', async () => {
    const [reader, writer] = [create({ refreshMs: 100 }), create()];
    const both = addKey(book, 'other', {}, digests, options);
    await writer.write(both.book, (await writer.read()).version);
    for (const store of [reader, writer]) await store.open(hooks);
    await writer.disableAgent('bot');
    expect(writer.find(id)!.agent.disabled).toBe(true);
    await until(() => reader.find(id)!.agent.disabled === true);
    expect(revoked).toEqual([id, id]);
    expect(reader.find(both.id)!.agent.disabled).toBeUndefined();
    const verifier = new ApiKeyVerifier(reader, digests, 'ask', new ManualClock());
    expect(await verifier.verify(key)).toMatchObject({ verified: false, reason: 'revoked' });
    expect(await verifier.verify(both.key)).toMatchObject({ verified: true });
  });

  it('disables no agent that is unknown, and loses no change of another command', async () => {
    const [one, other] = [create(), create()];
    const both = addKey(book, 'other', {}, digests, options);
    await one.write(both.book, (await one.read()).version);
    for (const unknown of ['nobody', '__proto__', ''])
      await expect(one.disableAgent(unknown)).rejects.toThrow(KeyBookError);
    expect((await one.read()).book).toEqual(both.book);
    const results = await Promise.allSettled([one.disableAgent('bot'), other.disableAgent('other')]);
    const { agents } = (await one.read()).book;
    expect([agents['bot']!.disabled, agents['other']!.disabled].map(Boolean)).toEqual(
      results.map(({ status }) => status === 'fulfilled'),
    );
  });

  it('does not say that an agent is disabled while Redis is gone', async () => {
    const own = await startRedis();
    const { client } = await connect([own.port]);
    const store = create({ client });
    await store.write(book, (await store.read()).version);
    await store.open(hooks);
    await own.kill();
    await expect(store.disableAgent('bot')).rejects.toThrow();
    expect(store.find(id)!.agent.disabled).toBeUndefined();
  });

  it('keeps the last good keys while the entry is broken, with one warning', async () => {
    const store = create();
    await store.write(book, (await store.read()).version);
    await store.open(hooks);
    await redis.command('HSET', 'agent-security:keys', 'version', '99', 'book', '{');
    await store.refresh();
    await store.refresh();
    expect(store.find(id)).toBeDefined();
    expect(warnings).toEqual([expect.stringContaining('is not JSON')]);
  });

  it('rejects every key once the keys have not been read for too long', async () => {
    const store = create({ maxStaleMs: 60_000 });
    await store.write(book, (await store.read()).version);
    await store.open(hooks);
    nowMs = 60_000;
    expect(store.find(id)).toBeDefined();
    nowMs = 60_001;
    expect(() => store.find(id)).toThrow('too long');
    expect(() => store.find('unknown')).toThrow('too long');
    expect(() => store.findAgent('bot')).toThrow('too long');
    const verifier = new ApiKeyVerifier(store, digests, 'ask', new ManualClock());
    await expect(verifier.verify(key)).rejects.toThrow('too long');
    await store.refresh();
    expect(store.find(id)).toBeDefined();
  });
});

async function untilSubscribed(redis: RedisServer, count: number): Promise<void> {
  const channel = 'agent-security:keys:changed';
  const expected = `${channel}\n${count}`;
  await until(async () => (await redis.command('PUBSUB', 'NUMSUB', channel)) === expected);
}

describeWithRedis('createRedisKeyStore', () => {
  it('learns of a change by a message, long before it would ask', async () => {
    const redis = await startRedis();
    const hooks = { warn: jest.fn(), revoked: jest.fn() };
    const [reader, writer] = [
      await createRedisKeyStore(redis.url, { refreshMs: 60_000 }),
      await createRedisKeyStore(redis.url),
    ];
    await reader.open(hooks);
    await writer.connect();
    await untilSubscribed(redis, 1);
    await writer.write(book, (await writer.read()).version);
    await until(() => reader.find(id) !== undefined);
    expect(hooks.warn).not.toHaveBeenCalled();
    reader.close();
    await untilSubscribed(redis, 0);
    writer.close();
  });

  it('follows changes by polling with an account that may neither publish nor subscribe', async () => {
    const redis = await startRedis();
    await redis.command('ACL', 'SETUSER', 'quiet', 'on', '>secret', '~*', 'resetchannels', '+@all');
    const store = await createRedisKeyStore(`redis://quiet:secret@127.0.0.1:${redis.port}`, {
      refreshMs: 100,
    });
    await store.open({ warn: jest.fn(), revoked: jest.fn() });
    await store.write(book, (await store.read()).version);
    await until(() => store.find(id) !== undefined);
    expect(await redis.command('PUBSUB', 'CHANNELS')).toBe('');
    store.close();
  });

  it('connects and closes with the app, and starts even if Redis is down', async () => {
    const redis = await startRedis();
    const hooks = { warn: jest.fn(), revoked: jest.fn() };
    const store = await createRedisKeyStore(redis.url);
    await store.open(hooks);
    await store.write(book, (await store.read()).version);
    await store.refresh();
    expect(store.find(id)).toBeDefined();
    store.close();
    const absent = await createRedisKeyStore(`redis://127.0.0.1:${await freePort()}`);
    await absent.open(hooks);
    expect(hooks.warn.mock.calls.flat()).toEqual([
      expect.stringContaining('cannot be followed'),
      expect.stringContaining('gets 503'),
    ]);
    expect(() => absent.find(id)).toThrow('too long');
    absent.close();
  });
});
