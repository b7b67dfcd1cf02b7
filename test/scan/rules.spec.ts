/* The rules as pure functions: what the scan has seen of a good server, and each mistake planted into it. */
import { type Answer, noAnswer } from '../../src/scan/answer.js';
import type { LimitFacts, ScanFacts } from '../../src/scan/facts.js';
import { readCookies } from '../../src/scan/headers/cookies.js';
import { scoreHeaders } from '../../src/scan/headers/score-headers.js';
import { ATTACKER_ORIGIN, type ProbeName, URL_SECRET } from '../../src/scan/probes.js';
import { SCAN_TABLE } from '../../src/scan/rule-table.js';
import type { Target } from '../../src/scan/target.js';

const TARGET: Target = {
  isTls: true,
  hostname: 'api.example.com',
  port: 443,
  authority: 'api.example.com',
  origin: 'https://api.example.com',
  path: '/tools',
  shownPath: '/tools',
  address: '203.0.113.1',
  isLoopback: false,
};

const HEADERS = {
  'content-type': 'application/json',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
  vary: 'Origin',
  ratelimit: '"default";r=29;t=1, "minute";r=99;t=60',
};

function answer(status: number, headers: Readonly<Record<string, string>> = {}, body = '{}'): Answer {
  const all = Object.entries({ ...HEADERS, ...headers }).filter(([, value]) => value !== '');
  return { status, headers: all, body };
}

const text = (body: string, type = 'text/plain'): Answer => answer(200, { 'content-type': type }, body);
const json = (value: unknown): Answer => text(JSON.stringify(value), 'application/json');

const NO_LIMITS: LimitFacts = {
  sent: 31,
  limited: answer(429, { 'retry-after': '1' }),
  forged: answer(429),
  randomKey: answer(429),
  retried: answer(200),
};

/** A server without a fault. */
const GOOD: Partial<Record<ProbeName, Answer>> = {
  page: answer(200),
  missing: answer(404),
  echo: answer(404),
  crossPost: answer(403),
  hostForeign: answer(421),
  bodyMalformed: answer(400),
  mcp: answer(401, { 'www-authenticate': 'Bearer' }),
  mcpVersion: answer(401),
  mcpMismatch: answer(401),
  mcpOrigin: answer(403),
  mcpHost: answer(421),
  securityTxt: text('Contact: mailto:security@example.com\nExpires: 2031-01-01T00:00:00Z\n'),
  resourceMetadata: json({ resource: 'https://api.example.com/mcp' }),
  serverMetadata: json({ issuer: 'https://api.example.com' }),
};

interface Planted {
  readonly answers?: Partial<Record<ProbeName, Answer>>;
  readonly limits?: Partial<LimitFacts>;
  readonly target?: Partial<Target>;
  readonly isVerified?: boolean;
  readonly plain?: string;
}

function idsOf({ answers, limits, target, isVerified = true, plain }: Planted): string[] {
  const all = { ...GOOD, ...answers };
  const facts: ScanFacts = {
    target: { ...TARGET, ...target },
    isVerified,
    answers: new Map(Object.entries(all) as [ProbeName, Answer][]),
    headers: scoreHeaders({
      isTls: target?.isTls ?? true,
      isVerified,
      hostname: TARGET.hostname,
      page: all.page!,
      others: [],
      preflight: all.preflight ?? noAnswer('closed'),
      origin: ATTACKER_ORIGIN,
      plain,
    }),
    cookies: readCookies([all.page!]),
    limits: { ...NO_LIMITS, ...limits },
    nowMs: Date.UTC(2030, 0, 1),
  };
  return SCAN_TABLE.filter(({ find }) => find(facts).length > 0).map(({ id }) => id);
}

const page = (headers: Readonly<Record<string, string>>): Planted => ({
  answers: { page: answer(200, headers) },
});
const probe = (name: ProbeName, planted: Answer): Planted => ({ answers: { [name]: planted } });
const allow = (origin: string, credentials = ''): Answer =>
  answer(200, {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': credentials,
  });

const ROWS: readonly (readonly [title: string, planted: Planted, ids: readonly string[]])[] = [
  ['no fault', {}, []],
  [
    'no answer to any attack',
    { answers: { hostForeign: noAnswer('closed'), bodyMalformed: noAnswer('closed') } },
    [],
  ],
  ['429 in place of an answer', probe('hostForeign', answer(429)), []],
  ['no policy', page({ 'content-security-policy': '' }), ['ASEC-S001']],
  [
    'a session cookie without HttpOnly',
    page({ 'set-cookie': 'session=1; Secure; SameSite=Lax' }),
    ['ASEC-S002', 'ASEC-S055'],
  ],
  ['a cookie without SameSite', page({ 'set-cookie': 'a=1; Secure; HttpOnly' }), ['ASEC-S055']],
  [
    'a preflight that grants all',
    probe('preflight', allow(ATTACKER_ORIGIN, 'true')),
    ['ASEC-S003', 'ASEC-S034'],
  ],
  ['plain HTTP beside HTTPS', { plain: 'none' }, ['ASEC-S004']],
  ['a Referrer-Policy that leaks', page({ 'referrer-policy': 'unsafe-url' }), ['ASEC-S005']],
  ['no HSTS', page({ 'strict-transport-security': '' }), ['ASEC-S006', 'ASEC-S062']],
  ['an HSTS of half a year', page({ 'strict-transport-security': 'max-age=16000000' }), ['ASEC-S062']],
  [
    'a foreign script',
    {
      answers: {
        page: {
          ...answer(200, { 'content-type': 'text/html' }),
          body: '<script src="https://cdn.test/a.js">',
        },
      },
    },
    ['ASEC-S007'],
  ],
  ['no nosniff', page({ 'x-content-type-options': '' }), ['ASEC-S008']],
  [
    'no protection from frames',
    page({ 'x-frame-options': '', 'content-security-policy': "default-src 'none'" }),
    ['ASEC-S009'],
  ],
  [
    'a Cross-Origin-Resource-Policy that is none',
    page({ 'cross-origin-resource-policy': 'x' }),
    ['ASEC-S010'],
  ],
  ['a foreign host', probe('hostForeign', answer(200)), ['ASEC-S020']],
  ...(['hostUserinfo', 'hostList', 'hostPort', 'hostEmpty', 'hostTwice'] as const).map(
    name => [name, probe(name, answer(200)), ['ASEC-S021']] as const,
  ),
  ['a foreign target', probe('targetForeign', answer(200)), ['ASEC-S022']],
  ['a target and a Host that differ', probe('targetDiffers', answer(200)), ['ASEC-S022']],
  [
    'a forwarded host in a redirect',
    probe('forwardedHost', answer(302, { location: 'http://attacker.example/' })),
    ['ASEC-S023'],
  ],
  ['a forwarded host in a body', probe('forwardedHost', text('http://attacker.example/')), ['ASEC-S023']],
  [
    'a forwarded protocol',
    {
      answers: { page: answer(200, { 'strict-transport-security': '' }), forwardedProto: answer(200) },
      target: { isTls: false, isLoopback: true },
    },
    ['ASEC-S024'],
  ],
  [
    'a reflected origin with credentials',
    probe('foreignOrigin', allow(ATTACKER_ORIGIN, 'true')),
    ['ASEC-S030'],
  ],
  ['a reflected origin', probe('foreignOrigin', allow(ATTACKER_ORIGIN)), ['ASEC-S031']],
  ['every origin', probe('foreignOrigin', allow('*')), ['ASEC-S031']],
  ['the origin null', probe('nullOrigin', allow('null')), ['ASEC-S032']],
  [
    'an origin with the host in front',
    probe('suffixOrigin', allow('https://api.example.com.attacker.example')),
    ['ASEC-S033'],
  ],
  [
    'an origin with the host behind',
    probe('prefixOrigin', allow('https://attacker-api.example.com')),
    ['ASEC-S033'],
  ],
  [
    'an origin with the domain behind',
    probe('siteOrigin', allow('https://attacker-example.com')),
    ['ASEC-S033'],
  ],
  [
    'every subdomain of the domain',
    {
      answers: {
        prefixOrigin: allow('https://attacker-api.example.com'),
        siblingOrigin: allow('https://agent-security-scan.example.com'),
      },
    },
    [],
  ],
  ['a cookie that browsers do not take', page({ 'set-cookie': '__Host-a=1; HttpOnly; SameSite=Lax' }), []],
  ['another origin, whatever is sent', probe('suffixOrigin', allow('https://app.example.com')), []],
  [
    'a reflected origin without Vary',
    probe('foreignOrigin', answer(200, { 'access-control-allow-origin': ATTACKER_ORIGIN, vary: 'Accept' })),
    ['ASEC-S031', 'ASEC-S035'],
  ],
  ['a cross-site POST', probe('crossPost', answer(404)), ['ASEC-S036']],
  ['a WebSocket', probe('webSocket', answer(101)), ['ASEC-S037']],
  ['TRACE', probe('trace', answer(200, {}, 'TRACE / HTTP/1.1')), ['ASEC-S040']],
  ['a page for every method', probe('trace', answer(200)), []],
  ['CONNECT', probe('connect', answer(200)), ['ASEC-S040']],
  ...(['pathDots', 'pathEncodedDots', 'pathSlashes', 'pathMatrix', 'pathNul', 'pathBackslash'] as const).map(
    name => [name, probe(name, answer(200)), ['ASEC-S041']] as const,
  ),
  ...(['pathPercent', 'pathUtf8', 'bodyMalformed', 'bodyDeep', 'bodyEncoding'] as const).map(
    name => [name, probe(name, answer(500)), ['ASEC-S042']] as const,
  ),
  ['a body that is awaited', probe('bodyAnnounced', noAnswer('no answer in time')), ['ASEC-S043']],
  ['two lengths', probe('twoLengths', answer(200)), ['ASEC-S044']],
  ['a length beside chunks', probe('bothLengths', answer(404)), ['ASEC-S044']],
  ['two credentials', probe('twoCredentials', answer(200)), ['ASEC-S045']],
  [
    'an error without the policy',
    probe('missing', answer(404, { 'content-security-policy': '' })),
    ['ASEC-S050'],
  ],
  ['an error that a cache may keep', probe('missing', answer(404, { 'cache-control': '' })), ['ASEC-S051']],
  [
    'a stack',
    probe('bodyMalformed', answer(400, {}, 'at parse (/app/node_modules/a.js:1:1)')),
    ['ASEC-S052'],
  ],
  ['an echo', probe('echo', answer(404, {}, 'Cannot GET /agent-security-scan/<scan>')), ['ASEC-S053']],
  ['the name of the framework', page({ 'x-powered-by': 'Express' }), ['ASEC-S054']],
  ['the version of the server', page({ server: 'nginx/1.2.3' }), ['ASEC-S054']],
  ['the name of the server', page({ server: 'nginx' }), []],
  ['a page that a cache may keep', page({ 'cache-control': '' }), ['ASEC-S056']],
  [
    'no TLS',
    { target: { isTls: false }, plain: 'none' },
    ['ASEC-S004', 'ASEC-S006', 'ASEC-S060', 'ASEC-S063'],
  ],
  ['a certificate that is not valid', { isVerified: false }, ['ASEC-S006', 'ASEC-S061']],
  ['a credential in the URL', probe('urlSecret', answer(200)), ['ASEC-S070']],
  [
    'a credential of the URL in a redirect',
    probe('urlSecret', answer(302, { location: `/?t=${URL_SECRET}` })),
    ['ASEC-S071'],
  ],
  [
    'no limit',
    {
      ...page({ ratelimit: '' }),
      limits: { sent: 150, limited: undefined, forged: undefined, randomKey: undefined, retried: undefined },
    },
    ['ASEC-S080'],
  ],
  ['a limit that is not shown', page({ ratelimit: '' }), ['ASEC-S081']],
  ['a limit of the older form', page({ ratelimit: '', 'x-ratelimit-remaining': '3' }), []],
  ['a RateLimit that is malformed', page({ ratelimit: 'r=3, limit' }), ['ASEC-S081']],
  ['a 429 without Retry-After', { limits: { limited: answer(429) } }, ['ASEC-S082']],
  ['a Retry-After of 0', { limits: { limited: answer(429, { 'retry-after': '0' }) } }, ['ASEC-S082']],
  [
    'a Retry-After in the past',
    { limits: { limited: answer(429, { 'retry-after': 'Tue, 01 Jan 2019 00:00:00 GMT' }) } },
    ['ASEC-S082'],
  ],
  [
    'a Retry-After of a time',
    { limits: { limited: answer(429, { 'retry-after': 'Tue, 01 Jan 2030 00:00:05 GMT' }) } },
    [],
  ],
  [
    'a Retry-After with a fraction',
    { limits: { limited: answer(429, { 'retry-after': '0.5' }) } },
    ['ASEC-S082'],
  ],
  ['a Retry-After that is too short', { limits: { retried: answer(429) } }, ['ASEC-S083']],
  ['a forged address', { limits: { forged: answer(200) } }, ['ASEC-S084']],
  ['a random key', { limits: { randomKey: answer(200) } }, ['ASEC-S085']],
  ['a random key that is rejected', { limits: { randomKey: answer(401) } }, []],
  ['a foreign origin at MCP', probe('mcpOrigin', answer(401)), ['ASEC-S090']],
  ['a foreign host at MCP', probe('mcpHost', answer(200)), ['ASEC-S091']],
  ['an error of MCP with 200', probe('mcpVersion', json({ jsonrpc: '2.0', error: {} })), []],
  ['an unknown version of MCP', probe('mcpVersion', answer(200)), ['ASEC-S092']],
  ['a header of MCP that contradicts', probe('mcpMismatch', answer(200)), ['ASEC-S093']],
  ['MCP without a credential', probe('mcp', answer(200)), ['ASEC-S094']],
  [
    'metadata of another origin',
    probe('resourceMetadata', json({ resource: 'https://evil.example' })),
    ['ASEC-S100'],
  ],
  [
    'metadata over plain HTTP',
    probe('serverMetadata', json({ issuer: 'http://api.example.com' })),
    ['ASEC-S100'],
  ],
  ['metadata that is no JSON', probe('serverMetadata', text('<', 'application/json')), ['ASEC-S100']],
  ['a page in place of metadata', probe('serverMetadata', text('<html>', 'text/html')), []],
  ['a 401 without a challenge', { answers: { mcp: answer(401) } }, ['ASEC-S101']],
  ['no security.txt', probe('securityTxt', answer(404)), ['ASEC-S102']],
  [
    'a security.txt that has expired',
    probe('securityTxt', text('Contact: a\nExpires: 2029-12-31T00:00:00Z')),
    ['ASEC-S103'],
  ],
  [
    'a security.txt without Contact',
    probe('securityTxt', text('Expires: 2031-12-31T00:00:00Z')),
    ['ASEC-S103'],
  ],
];

test.each(ROWS)('%s', (_title, planted, ids) => expect(idsOf(planted)).toEqual(ids));

test('each rule has a row, and an ID of its own', () => {
  const found = new Set(ROWS.flatMap(([, , ids]) => ids));
  expect(SCAN_TABLE.map(({ id }) => id)).toEqual([...found].toSorted());
  expect(SCAN_TABLE.filter(({ why, remedy }) => /[.]$/.test(why) || !/[.]$|"$/.test(remedy))).toEqual([]);
});
