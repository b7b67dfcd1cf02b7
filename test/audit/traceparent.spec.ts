import { readTraceId } from '../../src/audit/audit-record.js';
import { loadCases } from '../fixtures/load-cases.js';

const { traceparent: rows } = loadCases('request-ids');

it.each(rows.map(({ traceparent, expect: expected }) => [traceparent, expected] as const))(
  '%s is %s',
  (header, expected) => {
    expect(readTraceId(header)).toBe(
      expected.startsWith('valid') ? '0af7651916cd43dd8448eb211c80319c' : undefined,
    );
  },
);

it.each([
  [
    'two, joined by Node',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01, 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ],
  ['a line break', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n'],
  ['a list', ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01']],
  ['nothing', undefined],
  ['a long one', `cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-${'a'.repeat(1_000)}`],
])('%s is none', (_title, header) => expect(readTraceId(header)).toBeUndefined());
