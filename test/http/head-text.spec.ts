import { CAN_APPEND_TO_HEAD, isHeaderValue } from '../../src/http/response-headers.js';

describe('the head of a response as text', () => {
  it('can be added to on this version of Node', () => {
    expect(CAN_APPEND_TO_HEAD).toBe(true);
  });

  it.each([
    ['', true],
    ['a\tb c', true],
    ['caf\u00e9', true],
    ['a\rb', false],
    ['a\nb', false],
    ['a\0b', false],
    ['a\u007fb', false],
    ['\u20ac', false],
  ])('takes %j for a value: %s', (value, expected) => expect(isHeaderValue(value)).toBe(expected));
});
