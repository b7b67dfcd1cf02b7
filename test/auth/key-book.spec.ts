import {
  addKey,
  EMPTY_BOOK,
  type KeyBook,
  KeyBookError,
  parseKeyBook,
  revokeKey,
  rotateKey,
  setAgentDisabled,
} from '../../src/auth/key-book.js';
import { indexKeyBook } from '../../src/auth/key-book-store.js';
import { digests, NOW_MS } from '../support/keys.js';

const options = { prefix: 'ask', nowMs: NOW_MS };
const { book, id, key } = addKey(EMPTY_BOOK, 'bot', { scopes: ['a', 'b'], tier: 'free' }, digests, options);
const HOUR = 3_600_000;

describe('a key book', () => {
  it('contains no secret, and is parsed as it was serialized', () => {
    const text = JSON.stringify(book);
    expect(text).not.toContain(key.slice(21, 64));
    expect(parseKeyBook(text)).toEqual(book);
  });

  it('is immutable', () => {
    const before = JSON.stringify(book);
    rotateKey(book, id, HOUR, digests, options);
    revokeKey(book, id, NOW_MS);
    setAgentDisabled(book, 'bot', true);
    expect(JSON.stringify(book)).toBe(before);
  });

  it('adds a second key and keeps the fields of the agent', () => {
    const more = addKey(book, 'bot', { tier: 'paid' }, digests, options).book;
    expect(more.agents['bot']).toEqual({ scopes: ['a', 'b'], tier: 'paid' });
    expect(more.keys).toHaveLength(2);
  });

  it('rotates with an overlap that never extends the old key', () => {
    const rotated = rotateKey(book, id, HOUR, digests, options);
    expect(indexKeyBook(rotated.book).keys.get(id)!.expiresMs).toBe(NOW_MS + HOUR);
    expect(indexKeyBook(rotated.book).keys.get(rotated.id)!.expiresMs).toBeUndefined();
    const again = rotateKey(rotated.book, id, 9 * HOUR, digests, options);
    expect(indexKeyBook(again.book).keys.get(id)!.expiresMs).toBe(NOW_MS + HOUR);
  });

  it('does not rotate a revoked key', () => {
    const revoked = revokeKey(book, id, NOW_MS);
    expect(() => rotateKey(revoked, id, HOUR, digests, options)).toThrow(KeyBookError);
    expect(revokeKey(revoked, id, NOW_MS + HOUR)).toEqual(revoked);
  });

  it('disables and enables an agent', () => {
    const off = setAgentDisabled(book, 'bot', true);
    expect(indexKeyBook(off).keys.get(id)!.agent.disabled).toBe(true);
    expect(setAgentDisabled(off, 'bot', false)).toEqual(book);
  });

  it.each(['unknown', '__proto__', 'constructor'])('has no agent %s', name =>
    expect(() => setAgentDisabled(book, name, true)).toThrow(KeyBookError),
  );

  it('accepts the agent ID __proto__ without changing a prototype', () => {
    const odd = addKey(book, '__proto__', { scopes: ['x'] }, digests, options);
    const index = indexKeyBook(parseKeyBook(JSON.stringify(odd.book)));
    expect(index.keys.get(odd.id)!.agent).toMatchObject({ id: '__proto__', scopes: ['x'] });
    expect(({} as { scopes?: unknown }).scopes).toBeUndefined();
  });

  const entry = book.keys[0]!;
  const wrong: [title: string, value: unknown, says: string][] = [
    ['a text', 'x', 'must be an object'],
    ['no keys', { agents: {} }, 'must be an object'],
    ['another field', { ...book, key: [] }, 'key is not a known field'],
    ['an agent with a typo', { ...book, agents: { bot: { scope: [] } } }, 'scope is not a known field'],
    ['an agent with a space', { ...book, agents: { 'a b': {} } }, 'is not a valid agent ID'],
    ['a scope with a quote', { ...book, agents: { bot: { scopes: ['a"b'] } } }, 'has an invalid scope'],
    ['disabled as text', { ...book, agents: { bot: { disabled: 'yes' } } }, 'true or false'],
    ['a key of an unknown agent', { ...book, keys: [{ ...entry, agent: 'other' }] }, 'is not in "agents"'],
    ['a key of a prototype', { ...book, keys: [{ ...entry, agent: 'toString' }] }, 'is not in "agents"'],
    ['a key twice', { ...book, keys: [entry, entry] }, 'is a duplicate'],
    ['a raw key as digest', { ...book, keys: [{ ...entry, digest: key }] }, 'is not the digest'],
    [
      'a time without its zone',
      { ...book, keys: [{ ...entry, expires: '2030-01-31T12:00:00' }] },
      'is not a time',
    ],
    ['a time as a number', { ...book, keys: [{ ...entry, expires: 5 }] }, 'is not a time'],
    [
      'a field that would not hold',
      { ...book, keys: [{ ...entry, expire: '2030-01-31T12:00:00Z' }] },
      'expire',
    ],
  ];
  it.each(wrong)('rejects %s', (_title, value, says) => {
    const read = (): KeyBook => parseKeyBook(JSON.stringify(value));
    expect(read).toThrow(KeyBookError);
    expect(read).toThrow(says);
    expect(read).not.toThrow(key);
  });
});
