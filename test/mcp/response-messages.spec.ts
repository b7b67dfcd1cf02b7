import fc from 'fast-check';
import { CallOutcomes, filterToolList, ToolListEvents } from '../../src/mcp/response-messages.js';

const isVisible = (tool: string): boolean => tool.startsWith('read_');
const list = (...names: string[]): object => ({
  jsonrpc: '2.0',
  id: 1,
  result: { tools: names.map(name => ({ name })) },
});

it('removes tools from a response, and from each response of a batch', () => {
  const text = JSON.stringify([list('read_a', 'drop'), { id: 2, result: {} }, list('drop')]);
  expect(JSON.parse(filterToolList(text, isVisible))).toEqual([
    list('read_a'),
    { id: 2, result: {} },
    list(),
  ]);
});

it.each([
  '',
  'no tools',
  '{"tools":[1]}',
  '{"result":{"content":[{"text":"tools"}]}}',
  '{"error":{"message":"tools"}}',
])('leaves %s as it is', text => expect(filterToolList(text, isVisible)).toBe(text));

it('does not let one agent’s list be kept for all', () => {
  const text = '{"result":{"tools":[],"ttlMs":1000,"cacheScope":"public"}}';
  expect(JSON.parse(filterToolList(text, isVisible))).toEqual({
    result: { tools: [], ttlMs: 1000, cacheScope: 'private' },
  });
});

it('removes what is not a tool', () => {
  expect(filterToolList('{"result":{"tools":[null,{"name":7},{"name":"read_a"}]}}', isVisible)).toBe(
    '{"result":{"tools":[{"name":"read_a"}]}}',
  );
});

const event = `event: message\nid: 7\ndata: ${JSON.stringify(list('read_é', 'drop'))}\n\n`;
const filtered = `event: message\nid: 7\ndata: ${JSON.stringify(list('read_é'))}\n\n`;

it('filters events however they are cut', () => {
  const stream = `: hello\n\n${event}retry: 1\n\n${event.replaceAll('\n', '\r\n')}`;
  const bytes = Buffer.from(stream);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: bytes.length }), { maxLength: 20 }), cuts => {
      const events = new ToolListEvents(isVisible, 10_000);
      let out = '';
      let start = 0;
      for (const end of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
        out += events.push(bytes.subarray(start, end));
        start = end;
      }
      return out + events.end() === `: hello\n\n${filtered}retry: 1\n\n${filtered}`;
    }),
  );
});

it('lets no event through that is not whole or too long', () => {
  const events = new ToolListEvents(isVisible, 1_000);
  expect(events.push(Buffer.from(event.slice(0, -1)))).toBe('');
  expect(events.end()).toBe('');
  expect(new ToolListEvents(isVisible, 10).push(Buffer.from(event.slice(0, -1)))).toBeUndefined();
});

describe('the outcome of calls', () => {
  const outcome = (chunks: string[], isStream: boolean): boolean[] => {
    const outcomes = new CallOutcomes();
    for (const chunk of chunks) outcomes.push(Buffer.from(chunk), isStream);
    outcomes.end(isStream);
    return [outcomes.hasFailed(1), outcomes.hasFailed('two')];
  };
  it.each<[string, string[], boolean, boolean[]]>([
    ['a result', ['{"id":1,"result":{"content":[]}}'], false, [false, false]],
    [
      'a text that mentions errors',
      ['{"id":1,"result":{"content":[{"text":"\\"isError\\":true"}]}}'],
      false,
      [false, false],
    ],
    ['a result that is an error', ['{"id":1,"result":', '{"isError":true}}'], false, [true, false]],
    ['an error', ['{"id":"two","error":{"code":1}}'], false, [false, true]],
    ['a batch', ['[{"id":1,"result":{}},{"id":"two","error":{}}]'], false, [false, true]],
    ['a stream', ['data: {"method":"x"}\n\ndata: {"id":1,', '"error":{}}\n\n'], true, [true, false]],
    ['nothing', [], false, [false, false]],
  ])('%s', (_title, chunks, isStream, expected) => expect(outcome(chunks, isStream)).toEqual(expected));
});
