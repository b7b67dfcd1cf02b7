/* Parsers that every request passes throw for no input (except the one error that stops a start-up), and their work grows with
 * the length of the input alone. The inputs are drawn from the tokens that have a meaning for each parser. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { resolveTrustProxy } from '../src/client-address/client-address.options.js';
import { parseForwarded, readClient } from '../src/client-address/read-client.js';
import { type Authority, readAuthority } from '../src/common/authority.js';
import { AgentSecurityConfigError } from '../src/common/config-error.js';
import { requestPath } from '../src/common/http-request.js';
import { addressBlock, addressKey, canonicalAddress } from '../src/common/ip-address.js';
import { type ResolvedCors, resolveCors } from '../src/cors/cors.options.js';
import { isAllowedOrigin } from '../src/cors/decide-cors.js';
import { readOrigin } from '../src/cors/origin.js';
import { API_DIRECTIVES, resolvePolicy, serializePolicy } from '../src/headers/content-security-policy.js';
import { checkHost } from '../src/host/check-host.js';
import { resolveHostPatterns } from '../src/host/host.options.js';
import { parseLimits } from '../src/limiter/parse-limits.js';
import {
  chooseRequestId,
  type ResolvedRequestId,
  resolveRequestId,
} from '../src/request-id/request-id.options.js';
import { checkDeclaredBody, hasContentEncoding } from '../src/body/check-body.js';
import { expectToFinish } from './support/expect-to-finish.js';

const BASE = { directives: API_DIRECTIVES, reportOnly: false };

const SEED = 20_260;
const RUNS = 5_000;
/** Linear work on so many characters takes milliseconds, quadratic work minutes. */
const LONG = 262_144;

const patterns = resolveHostPatterns('hosts', ['localhost', '*.example.com', '[::1]:80']);
const trusted = resolveTrustProxy('10.0.0.0/8', () => undefined);
const everybody = { trusts: (): boolean => true, header: undefined };
const peer = { address: '10.0.0.1', encrypted: false };
const requestId = resolveRequestId(undefined) as ResolvedRequestId;
const cors = resolveCors(
  { origins: ['https://app.example.com', 'https://*.apps.test:8443'] },
  () => undefined,
  undefined,
) as ResolvedCors;

const HOST_TOKENS = [
  'localhost',
  'example',
  'com',
  'a',
  '127',
  '1',
  '0',
  '[',
  ']',
  '::1',
  '[::1]',
  '::',
  'ffff',
  '.',
  '..',
  ':',
  '80',
  '65536',
  '@',
  '/',
  '\\',
  ',',
  '-',
  '_',
  '*',
  '%',
  '%25',
  '?',
  '#',
  ' ',
  '\t',
  '\u0000',
  'é',
  '．',
];
const FORWARDED_TOKENS = [
  'for',
  'proto',
  'host',
  'by',
  '=',
  ';',
  ',',
  '"',
  '\\',
  ' ',
  '\t',
  '192.0.2.1',
  '10.0.0.2',
  '[2001:db8::1]',
  ':80',
  'unknown',
  '_x',
  'https',
  'a.test',
  '__proto__',
  'constructor',
  '\n',
  'é',
];
const ADDRESS_TOKENS = [
  '10.0.0.2',
  '192.0.2.1',
  '::ffff:',
  '2001:db8::',
  '1',
  '255',
  '256',
  '.',
  ':',
  '::',
  '[',
  ']',
  '%',
  'eth0',
  '%25',
  ',',
  ', ',
  ' ',
  '\t',
  '\u00a0',
  '/',
  '24',
  'unknown',
  "'",
  '-',
  '0x7f',
];

interface Parser {
  readonly title: string;
  readonly tokens: readonly string[];
  readonly read: (text: string) => unknown;
  /** Whether it runs at the start, where a rejection is an error. */
  readonly mayReject?: true;
}

const parsers: Parser[] = [
  { title: 'readAuthority', tokens: HOST_TOKENS, read: readAuthority },
  {
    title: 'checkHost of a Host header',
    tokens: HOST_TOKENS,
    read: host => checkHost({ host, hostLines: 1, target: '/' }, patterns),
  },
  {
    title: 'checkHost of a target',
    tokens: [...HOST_TOKENS, 'http://', 'https://', '://'],
    read: target => checkHost({ host: 'localhost', hostLines: 1, target }, patterns),
  },
  {
    title: 'readOrigin',
    tokens: [...HOST_TOKENS, 'http', 'https', '://', 'null', 'chrome-extension', '+', 'HTTPS'],
    read: readOrigin,
  },
  {
    title: 'isAllowedOrigin',
    tokens: [...HOST_TOKENS, 'https://', 'apps.test', ':8443', 'app.'],
    read: origin => isAllowedOrigin(origin, cors),
  },
  { title: 'parseForwarded', tokens: FORWARDED_TOKENS, read: parseForwarded },
  {
    title: 'readClient through Forwarded',
    tokens: FORWARDED_TOKENS,
    read: forwarded => readClient(peer, { forwarded }, trusted),
  },
  {
    title: 'readClient through X-Forwarded-For',
    tokens: ADDRESS_TOKENS,
    read: text => readClient(peer, { 'x-forwarded-for': text }, everybody),
  },
  {
    title: 'readClient through X-Forwarded-Host and -Proto',
    tokens: [...HOST_TOKENS, 'https', 'http'],
    read: text => readClient(peer, { 'x-forwarded-host': text, 'x-forwarded-proto': text }, trusted),
  },
  {
    title: 'readClient of a peer',
    tokens: ADDRESS_TOKENS,
    read: address => readClient({ address, encrypted: true }, {}, undefined),
  },
  { title: 'addressKey', tokens: ADDRESS_TOKENS, read: addressKey },
  { title: 'addressBlock', tokens: ADDRESS_TOKENS, read: addressBlock },
  { title: 'canonicalAddress', tokens: ADDRESS_TOKENS, read: canonicalAddress },
  {
    title: 'chooseRequestId',
    tokens: [
      'a',
      'Z',
      '9',
      '_',
      '-',
      '.',
      ':',
      '@',
      '=',
      '+',
      ' ',
      '\n',
      '\r',
      '\u0000',
      '\u0085',
      '<',
      '%s',
      'é',
      '😀',
    ],
    read: text => chooseRequestId(text, requestId),
  },
  {
    title: 'requestPath',
    tokens: ['/', '//', '?', '#', '://', 'http', 'a', '..', '%2f', '*', ':', '\\', ';', '@', 'é'],
    read: requestPath,
  },
  {
    title: 'checkDeclaredBody',
    tokens: ['application/', 'json', '+json', '+', '.', '-', ';', ' ', 'charset', 'a', '0', '9', ','],
    read: text => checkDeclaredBody('POST', { 'content-type': text, 'content-length': '0' }, 100),
  },
  {
    title: 'hasContentEncoding',
    tokens: ['gzip', 'br', ',', ' ', 'x-', '\t', 'identity'],
    read: text => hasContentEncoding({ 'content-encoding': text }),
  },
  {
    title: 'parseLimits',
    tokens: [
      '1',
      '10',
      '0',
      '999999999999999',
      '/',
      ' per ',
      'per',
      ' ',
      '\t',
      's',
      'second',
      'minutes',
      'min',
      'm',
      'day',
      ',',
      ';',
      '|',
      '-',
      '.',
      'e3',
      'constructor',
      '１',
    ],
    read: text => parseLimits('limits', text),
    mayReject: true,
  },
  {
    title: 'resolvePolicy of a source',
    tokens: [
      "'self'",
      "'none'",
      'self',
      'https:',
      '*',
      ';',
      ',',
      ' ',
      "'nonce-",
      'nonce-',
      'a.test',
      '\n',
      '\r',
      'é',
      "'",
    ],
    read: text => resolvePolicy('csp', { scriptSrc: text, styleSrc: [text] }, BASE),
    mayReject: true,
  },
  {
    title: 'resolvePolicy of a directive',
    tokens: ['script', 'Src', '-src', '-', 'A', ' ', ';', ':', '__proto__', 'é'],
    read: text => resolvePolicy('csp', { [text]: "'self'" }, BASE),
    mayReject: true,
  },
];

const texts = (tokens: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.array(fc.constantFrom(...tokens), { maxLength: 12 }).map(parts => parts.join('')),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  );

describe.each(parsers)('$title', ({ tokens, read, mayReject }) => {
  it('throws for no input', () => {
    fc.assert(
      fc.property(texts(tokens), text => {
        try {
          read(text);
        } catch (error) {
          if (!mayReject || !(error instanceof AgentSecurityConfigError)) throw error;
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('reads 256 kB of repeated tokens in linear time', () => {
    for (const text of hostileTexts(tokens)) {
      expectToFinish(() => {
        try {
          read(text);
        } catch (error) {
          if (!(error instanceof AgentSecurityConfigError)) throw error;
        }
      });
    }
  });
});

/** Each token and each pair of tokens over and over, alone, after a good beginning, and before a bad end. */
function hostileTexts(tokens: readonly string[]): readonly string[] {
  const long = (part: string): string => part.repeat(Math.ceil(LONG / part.length)).slice(0, LONG);
  const bodies = [
    ...tokens.map(long),
    ...tokens.map((token, index) => long(token + tokens[(index + 1) % tokens.length]!)),
  ];
  const first = tokens[0]!;
  return [...bodies, ...bodies.map(body => `${first}${body}\u0001`), ...bodies.map(body => `a=${body}x`)];
}

describe('what readAuthority accepts', () => {
  const serialize = ({ name, port }: Authority): string => (port === undefined ? name : `${name}:${port}`);

  it('is accepted again as it is written by us, and is the same', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.oneof(
          texts(HOST_TOKENS),
          fc.ipV6().map(address => `[${address}]:80`),
          fc.domain(),
        ),
        text => {
          const authority = readAuthority(text);
          if (authority === undefined) return true;
          accepted++;
          const isSame = [serialize(authority), text.toUpperCase()].every(form =>
            isDeepStrictEqual(readAuthority(form), authority),
          );
          return isSame && /^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])$/.test(authority.name);
        },
      ),
      { seed: SEED, numRuns: 20_000 },
    );
    expect(accepted).toBeGreaterThan(5_000);
  });

  it('is the host that a browser would connect to, where a browser accepts it', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          texts(HOST_TOKENS),
          fc.domain(),
          fc.ipV6().map(address => `[${address}]`),
        ),
        text => {
          const authority = readAuthority(text);
          if (authority === undefined || !URL.canParse(`http://${text}/`)) return;
          const { hostname } = new URL(`http://${text}/`);
          // The URL parser rewrites short forms of IPv4 addresses and xn-- names; here they stay names that match nothing else.
          if (/^[\d.]+$/.test(hostname) || hostname.includes('xn--') || authority.name.includes('ffff'))
            return;
          expect(hostname.replace(/\.$/, '')).toBe(authority.name);
        },
      ),
      { seed: SEED, numRuns: 10_000 },
    );
  });
});

describe('what readOrigin accepts', () => {
  it('is written as a browser writes it', () => {
    fc.assert(
      fc.property(fc.tuple(fc.constantFrom('http', 'https'), texts(HOST_TOKENS)), ([scheme, host]) => {
        const text = `${scheme}://${host}`;
        const origin = readOrigin(text);
        if (
          origin === undefined ||
          !URL.canParse(text) ||
          /[\d.]+$/.test(origin.name) ||
          text.includes('ffff')
        )
          return;
        expect(new URL(text).origin).toBe(text);
      }),
      { seed: SEED, numRuns: 10_000 },
    );
  });
});

describe('what readClient answers', () => {
  it('is an address that a trusted proxy reported, never text of the client', () => {
    fc.assert(
      fc.property(texts(ADDRESS_TOKENS), text => {
        const { address } = readClient(peer, { 'x-forwarded-for': text }, everybody);
        expect(canonicalAddress(address)).toBe(address);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

describe('what chooseRequestId answers', () => {
  it('is safe in a header and in a log line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => {
        expect(chooseRequestId(text, requestId)).toMatch(/^[\w.:@+=-]{1,128}$/);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

describe('what resolvePolicy answers', () => {
  it('is one policy with the directives that were given, and no others', () => {
    const sources = texts(["'self'", 'https:', ';', ',', ' ', 'a.test', '\n', "'none'"]);
    fc.assert(
      fc.property(sources, source => {
        let text: string | undefined;
        try {
          const input = { useDefaults: false, directives: { 'script-src': source } };
          text = serializePolicy(resolvePolicy('csp', input, BASE)!.directives);
        } catch {
          return;
        }
        expect(text).toMatch(/^script-src [^;,\r\n]+$/);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});
