import { createApiKey, isKeyDigest, KeyDigests } from '../../src/auth/api-key.js';

const OLD = 'the old secret of tests, 32 characters';
const NEW = 'the new secret of tests, 32 characters';
const key = createApiKey('ask');

describe('KeyDigests', () => {
  const digests = new KeyDigests([OLD]);
  const stored = digests.create(key);

  it('creates digests without the secret', () => {
    expect(isKeyDigest(stored)).toBe(true);
    expect(stored).not.toContain(key.secret);
    expect(digests.matches(stored, key)).toBe(true);
  });

  it('matches no other secret, ID or digest', () => {
    const other = createApiKey('ask');
    expect(digests.matches(stored, { id: key.id, secret: other.secret })).toBe(false);
    expect(digests.matches(stored, { id: other.id, secret: key.secret })).toBe(false);
    expect(digests.matches(digests.create(other), key)).toBe(false);
  });

  it.each([undefined, '', 'v1', `${stored}A`, stored.replace('v1', 'v2')])('does not match %j', broken =>
    expect(digests.matches(broken, key)).toBe(false),
  );

  it('matches digests of an older pepper while it is listed', () => {
    const both = new KeyDigests([NEW, OLD]);
    expect(both.matches(stored, key)).toBe(true);
    expect(new KeyDigests([NEW]).matches(stored, key)).toBe(false);
    const renewed = both.create(key);
    expect(new KeyDigests([NEW]).matches(renewed, key)).toBe(true);
    expect(digests.matches(renewed, key)).toBe(false);
  });
});
