import { joinKey } from '../../src/common/join-key.js';
import { keyOf, slotOf } from '../../src/redis/quota-keys.js';

const charge = (scope: string, owner: string, isAddress = false) => ({
  key: joinKey(scope, owner),
  scope,
  owner,
  isAddress,
  policies: [],
  cost: 1,
});

describe('keys in Redis', () => {
  const plain: [title: string, scope: string, owner: string, key: string][] = [
    ['an IPv4 address', 'all', '192.0.2.1', 'asec:{192.0.2.1}all'],
    ['an IPv6 network', 'all', '2001:db8:0:1::/64', 'asec:{2001:db8:0:1::/64}all'],
    ['everybody', 'Tools.run#2/1', 'global', 'asec:{global}Tools.run#2/1'],
  ];
  it.each(plain)('shows %s', (_title, scope, owner, key) =>
    expect(keyOf('asec:', charge(scope, owner, true))).toBe(key),
  );

  const hidden: [title: string, owner: string][] = [
    ['an e-mail address', 'jane@example.com'],
    ['a secret', 'sk-live-abcdef0123456789'],
    ['braces', '}{'],
    ['an empty owner', ''],
    ['a long owner', 'a'.repeat(10_000)],
    ['a name that looks like an address', '192.0.2.1'],
    ['a telephone number', '4915112345678'],
    ['a key in hexadecimal', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['what looks like a hash', '~aaaaaaaaaaaaaaaaaaaaaa'],
  ];
  it.each(hidden)('hides %s behind a hash of its own', (_title, owner) => {
    const key = keyOf('asec:', charge('all', owner));
    expect(key).toMatch(/^asec:\{~[\w-]{22}\}all$/);
    expect(key).not.toBe(keyOf('asec:', charge('all', `${owner}x`)));
  });

  it("keeps an owner's quotas in one slot", () => {
    for (const owner of ['192.0.2.1', 'jane', '}{', '']) {
      expect(slotOf(keyOf('asec:', charge('a', owner)))).toBe(slotOf(keyOf('asec:', charge('b', owner))));
    }
  });

  it('takes a key without an owner as a whole', () => {
    const key = keyOf('asec:', { key: 'mine', policies: [], cost: 1 });
    expect(key).toMatch(/^asec:\{~[\w-]{22}\}$/);
    expect(key).toBe(keyOf('asec:', { key: 'mine', owner: 'else', policies: [], cost: 1 }));
  });
});
