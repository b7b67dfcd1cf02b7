import { joinKey } from '../../src/common/join-key.js';
import { keyOf, slotOf } from '../../src/redis/quota-keys.js';

const charge = (scope: string, partitionKey: string, isAddress = false) => ({
  key: joinKey(scope, partitionKey),
  scope,
  partitionKey,
  isAddress,
  policies: [],
  cost: 1,
});

describe('keys in Redis', () => {
  const plain: [title: string, scope: string, partitionKey: string, key: string][] = [
    ['an IPv4 address', 'all', '192.0.2.1', 'asec:{192.0.2.1}all'],
    ['an IPv6 network', 'all', '2001:db8:0:1::/64', 'asec:{2001:db8:0:1::/64}all'],
    ['the key of a global limit', 'Tools.run#2/1', 'global', 'asec:{global}Tools.run#2/1'],
  ];
  it.each(plain)('shows %s', (_title, scope, partitionKey, key) =>
    expect(keyOf('asec:', charge(scope, partitionKey, true))).toBe(key),
  );

  const hidden: [title: string, partitionKey: string][] = [
    ['an e-mail address', 'jane@example.com'],
    ['a secret', 'sk-live-abcdef0123456789'],
    ['braces', '}{'],
    ['an empty partition key', ''],
    ['a long partition key', 'a'.repeat(10_000)],
    ['a name that looks like an address', '192.0.2.1'],
    ['a telephone number', '4915112345678'],
    ['a key in hexadecimal', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['what looks like a hash', '~aaaaaaaaaaaaaaaaaaaaaa'],
  ];
  it.each(hidden)('hides %s behind a hash of its own', (_title, partitionKey) => {
    const key = keyOf('asec:', charge('all', partitionKey));
    expect(key).toMatch(/^asec:\{~[\w-]{22}\}all$/);
    expect(key).not.toBe(keyOf('asec:', charge('all', `${partitionKey}x`)));
  });

  it('keeps the quotas of a partition key in one slot', () => {
    for (const partitionKey of ['192.0.2.1', 'jane', '}{', '']) {
      expect(slotOf(keyOf('asec:', charge('a', partitionKey)))).toBe(
        slotOf(keyOf('asec:', charge('b', partitionKey))),
      );
    }
  });

  it('hashes a key without a partition key as a whole', () => {
    const key = keyOf('asec:', { key: 'mine', policies: [], cost: 1 });
    expect(key).toMatch(/^asec:\{~[\w-]{22}\}$/);
    expect(key).toBe(keyOf('asec:', { key: 'mine', partitionKey: 'else', policies: [], cost: 1 }));
  });
});
