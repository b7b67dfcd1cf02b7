/* How cookies score, and their attributes. */
import { type Answer, clip, valuesOf } from '../answer.js';
import type { HeaderResult } from './header-facts.js';

export interface Cookie {
  readonly name: string;
  readonly isSecure: boolean;
  readonly isHttpOnly: boolean;
  /** Lower case; `undefined` without the attribute. */
  readonly sameSite: string | undefined;
  readonly isSession: boolean;
}

export function readCookies(answers: readonly Answer[]): readonly Cookie[] {
  const lines = new Set(answers.flatMap(answer => valuesOf(answer, 'set-cookie')));
  return [...lines].flatMap(line => {
    const [pair = '', ...rest] = line.split(';').map(part => part.trim());
    const attributes = new Map(rest.map(part => splitPair(part.toLowerCase())));
    const [name] = splitPair(pair);
    // A cookie that is deleted, or that browsers do not take.
    const isLost = /^__(?:secure|host)-/i.test(name) && !attributes.has('secure');
    if (name === '' || isLost || attributes.get('max-age') === '0') return [];
    return {
      name,
      isSecure: attributes.has('secure'),
      isHttpOnly: attributes.has('httponly'),
      sameSite: attributes.get('samesite'),
      isSession: /login|sess/i.test(name),
    };
  });
}

function splitPair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** @param hasHsts whether the cookies cannot travel over plain HTTP */
export function scoreCookies(cookies: readonly Cookie[], hasHsts: boolean): HeaderResult {
  const worst = cookies
    .map(cookie => scoreCookie(cookie, hasHsts))
    .reduce<HeaderResult>((a, b) => (b[0] < a[0] ? b : a), [0]);
  if (cookies.length === 0 || worst[0] < 0) return worst;
  return [cookies.every(({ sameSite }) => sameSite !== undefined) ? 5 : 0];
}

function scoreCookie(
  { name, isSecure, isHttpOnly, sameSite, isSession }: Cookie,
  hasHsts: boolean,
): HeaderResult {
  const cookie = `of ${clip(name)}`;
  if (isSession && !isSecure && !hasHsts) return [-40, `${cookie} has no Secure`];
  if (isSession && !isHttpOnly) return [-30, `${cookie} has no HttpOnly`];
  const isValid = ['lax', 'strict', 'none', undefined].includes(sameSite);
  if (!isValid || (sameSite === 'none' && !isSecure))
    return [-20, `${cookie} has a SameSite that is not valid`];
  if (/csrf/i.test(name) && sameSite === undefined) return [-20, `${cookie} has no SameSite`];
  if (isSecure) return [0];
  return [hasHsts ? (isSession ? -10 : -5) : -20, `${cookie} has no Secure`];
}
