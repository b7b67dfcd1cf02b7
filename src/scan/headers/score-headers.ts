/* The ten tests of the HTTP Observatory and its score, from their published description: docs/scan.md#headers. */
import { valueOf, valuesOf } from '../answer.js';
import { readCookies, scoreCookies } from './cookies.js';
import { readPolicies, scorePolicy } from './csp.js';
import { gradeOf } from './grade.js';
import type { HeaderFacts, HeaderResult } from './header-facts.js';
import { metaPolicies, scoreScripts } from './scripts.js';

export type HeaderTest =
  | 'csp'
  | 'cookies'
  | 'cors'
  | 'redirection'
  | 'referrer'
  | 'hsts'
  | 'scripts'
  | 'nosniff'
  | 'frames'
  | 'corp';

export interface HeaderScore {
  readonly tests: ReadonlyMap<HeaderTest, HeaderResult>;
  readonly score: number;
  readonly grade: string;
}

/** Bonuses count from here on. */
const BONUS_FROM = 90;
/** The description says 15768000; the analyzer takes what many sites send for it. */
const SIX_MONTHS_S = 15_552_000;

const TESTS: Readonly<Record<HeaderTest, (facts: HeaderFacts) => HeaderResult>> = {
  csp: ({ page, isTls }) =>
    scorePolicy([...valuesOf(page, 'content-security-policy'), ...metaPolicies(page)], isTls),
  cookies: facts => scoreCookies(readCookies([facts.page, ...facts.others]), scoreHsts(facts)[0] === 0),
  cors: ({ preflight, origin }) =>
    valueOf(preflight, 'access-control-allow-origin') === origin &&
    valueOf(preflight, 'access-control-allow-credentials').toLowerCase() === 'true'
      ? [-50, 'lets pages of every origin read responses, with credentials']
      : [0],
  redirection: scoreRedirection,
  referrer: ({ page }) => scoreReferrer(valuesOf(page, 'referrer-policy')),
  hsts: scoreHsts,
  scripts: scoreScripts,
  nosniff: ({ page }) => {
    const value = valueOf(page, 'x-content-type-options').toLowerCase();
    return value === 'nosniff' ? [0] : [-5, value === '' ? 'is missing' : 'is not "nosniff"'];
  },
  frames: ({ page }) => {
    if (readPolicies(valuesOf(page, 'content-security-policy'))?.has('frame-ancestors') === true) return [5];
    const value = valueOf(page, 'x-frame-options');
    if (value === '') return [-20, 'is missing, and so is frame-ancestors'];
    return /^(?:deny|sameorigin|allow-from.*)$/i.test(value) ? [0] : [-20, 'is not valid'];
  },
  corp: ({ page }) => {
    const value = valueOf(page, 'cross-origin-resource-policy').toLowerCase();
    if (value === 'same-origin' || value === 'same-site') return [10];
    return value === '' || value === 'cross-origin' ? [0] : [-5, 'is not valid'];
  },
};

const sum = (modifiers: readonly number[]): number => modifiers.reduce((a, b) => a + b, 100);

/** @param isBehindTls scores as behind a proxy that adds TLS, its redirect and HSTS */
export function scoreHeaders(facts: HeaderFacts, isBehindTls = false): HeaderScore {
  const tests = new Map(
    Object.entries(TESTS).map(([name, test]) => [
      name as HeaderTest,
      test(isBehindTls ? { ...facts, isTls: true, isBehindTls } : facts),
    ]),
  );
  const modifiers = [...tests.values()].map(([modifier]) => modifier);
  const penalized = sum(modifiers.filter(modifier => modifier < 0));
  const score = Math.max(0, penalized >= BONUS_FROM ? sum(modifiers) : penalized);
  return { tests, score, grade: gradeOf(score) };
}

function scoreHsts({ isTls, isVerified, isBehindTls, page }: HeaderFacts): HeaderResult {
  if (isBehindTls) return [0];
  if (!isTls) return [-20, 'cannot be set without TLS'];
  if (!isVerified) return [-20, 'has no effect: the certificate is not valid'];
  const [value, ...more] = valuesOf(page, 'strict-transport-security');
  if (value === undefined) return [-20, 'is missing'];
  const seconds = value.split(';').flatMap(part => /^\s*max-age\s*=\s*"?(\d+)/i.exec(part)?.[1] ?? []);
  if (more.length > 0 || value.includes(',') || seconds.length === 0) return [-20, 'is not valid'];
  return Number(seconds.at(-1)) < SIX_MONTHS_S ? [-10, 'is shorter than six months'] : [0];
}

function scoreRedirection({ isTls, isVerified, isBehindTls, hostname, plain }: HeaderFacts): HeaderResult {
  if (isBehindTls || (plain === undefined && isTls)) return [0];
  const url = plain !== undefined && URL.canParse(plain) ? new URL(plain) : undefined;
  if (url === undefined) return [-20, 'is missing: plain HTTP is answered'];
  if (url.protocol !== 'https:') return [-20, 'leads to plain HTTP'];
  if (!isVerified) return [-20, 'leads to a certificate that is not valid'];
  return url.hostname.replace(/^\[|\]$/g, '') === hostname ? [0] : [-5, 'leads to another host first'];
}

const PRIVATE = ['no-referrer', 'same-origin', 'strict-origin', 'strict-origin-when-cross-origin'];
const LEAKING = ['origin', 'origin-when-cross-origin', 'unsafe-url', 'no-referrer-when-downgrade'];

function scoreReferrer(values: readonly string[]): HeaderResult {
  if (values.length === 0) return [0];
  const last = values
    .join()
    .toLowerCase()
    .split(',')
    .map(part => part.trim())
    .findLast(part => PRIVATE.includes(part) || LEAKING.includes(part));
  if (last === undefined) return [-5, 'is not valid'];
  return PRIVATE.includes(last) ? [5] : [-5, 'shows URLs to other origins'];
}
