import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawRequest,
  rawResponse,
  requestPath,
  setRequestId,
  takeOver,
} from '../../src/common/http-request.js';

describe('requestPath', () => {
  const rows: [title: string, target: string, expected: string][] = [
    ['a path', '/healthz', '/healthz'],
    ['a query', '/healthz?x=1', '/healthz'],
    ['a fragment', '/healthz#x', '/healthz'],
    ['a query that holds a fragment and a slash', '/a?b#c/d', '/a'],
    ['the absolute form', 'http://api.test/healthz?x', '/healthz'],
    ['the absolute form without a path', 'http://api.test', '/'],
    ['the absolute form with a query alone', 'http://api.test?x', '/'],
    ['a second scheme in the path', '/x?u=http://api.test/healthz', '/x'],
    ['two slashes are no authority', '//evil.test/healthz', '//evil.test/healthz'],
    ['dots and escapes stay as written', '/a/../b%2f', '/a/../b%2f'],
    ['the asterisk form', '*', '*'],
    ['the root', '/', '/'],
  ];
  it.each(rows)('%s', (_title, target, expected) => expect(requestPath(target)).toBe(expected));
});

describe('the two platforms', () => {
  const raw = { headers: {} } as IncomingMessage;
  const rawAnswer = {} as ServerResponse;

  it("hands out Node's own request and response on either", () => {
    expect(rawRequest(raw as PlatformRequest)).toBe(raw);
    expect(rawRequest({ raw } as unknown as PlatformRequest)).toBe(raw);
    expect(rawResponse(rawAnswer as PlatformResponse)).toBe(rawAnswer);
    expect(rawResponse({ raw: rawAnswer } as unknown as PlatformResponse)).toBe(rawAnswer);
  });

  it('puts the ID on both where there are two', () => {
    const inner = {} as PlatformRequest;
    const outer = { raw: inner, id: 'before' } as unknown as PlatformRequest;
    setRequestId(outer, 'after');
    expect([inner.id, outer.id]).toEqual(['after', 'after']);
  });

  it('hijacks a Fastify reply, and does nothing on Express', () => {
    const hijack = jest.fn();
    takeOver({ hijack } as unknown as PlatformResponse);
    takeOver({} as PlatformResponse);
    expect(hijack).toHaveBeenCalledTimes(1);
  });
});
