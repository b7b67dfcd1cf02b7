import { joinQuotas } from '../../src/tools/tool-quotas.js';

const pairs = (remaining: number, name: string): string[] => [
  'X-RateLimit-Limit',
  '9',
  'X-RateLimit-Remaining',
  String(remaining),
  'RateLimit-Policy',
  `"${name}";q=9;w=1`,
  'RateLimit',
  `"${name}";r=${remaining};t=1`,
];

it('uses the numbers of the quota with less left, and the lists of both', () => {
  const expected = (remaining: string): string[] => [
    'X-RateLimit-Limit',
    '9',
    'X-RateLimit-Remaining',
    remaining,
    'RateLimit-Policy',
    '"a";q=9;w=1, "b";q=9;w=1',
  ];
  expect(joinQuotas(pairs(3, 'a'), pairs(2, 'b'))).toEqual([
    ...expected('2'),
    'RateLimit',
    '"a";r=3;t=1, "b";r=2;t=1',
  ]);
  expect(joinQuotas(pairs(1, 'a'), pairs(2, 'b'))).toEqual([
    ...expected('1'),
    'RateLimit',
    '"a";r=1;t=1, "b";r=2;t=1',
  ]);
});

it.each([
  ['nothing before', undefined, pairs(1, 'b')],
  ['an empty list before', [], pairs(1, 'b')],
  ['nothing now', pairs(1, 'a'), []],
])('%s', (_title, one, other) => expect(joinQuotas(one, other)).toEqual(one?.length ? one : other));
