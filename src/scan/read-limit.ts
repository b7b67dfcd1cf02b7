/* What headers say about a rate limit, and when to come back. */
import { type Answer, valueOf } from './answer.js';

/** A name as a string or a token, and its parameters, of which `r` is what is left: draft-ietf-httpapi-ratelimit-headers. */
const NAME = /^(?:"[^"]*"|[a-z*][\w*.:-]*)$/i;
const PARAMETER = /^[a-z*][\w*.-]*=(?:-?\d+|"[^"]*"|:[^:]*:|[a-z*][\w*.:-]*)$/i;

function isItem(text: string): boolean {
  const [name, ...parameters] = text.split(';').map(part => part.trim());
  return NAME.test(name!) && parameters.length > 0 && parameters.every(part => PARAMETER.test(part));
}

export interface SeenLimit {
  /** The form of the fields; `undefined` without any. */
  readonly form: 'RateLimit' | 'X-RateLimit' | 'malformed' | undefined;
  /** Requests left, the fewest of several limits. */
  readonly left: number | undefined;
}

export function readLimit(answer: Answer): SeenLimit {
  const field = valueOf(answer, 'ratelimit');
  if (field !== '') {
    const items = field.split(',').map(item => item.trim());
    const left = items.map(item => Number(/;\s*r=(\d{1,15})(?:;|$)/.exec(item)?.[1] ?? Number.NaN));
    // The draft's older form: limit=100, remaining=99, reset=60.
    const older = /(?:^|[,;])\s*remaining=(\d{1,15})\s*(?:[,;]|$)/.exec(field)?.[1];
    if (older !== undefined) return { form: 'X-RateLimit', left: Number(older) };
    const isValid = items.every(isItem) && !left.some(Number.isNaN);
    return isValid ? { form: 'RateLimit', left: Math.min(...left) } : { form: 'malformed', left: undefined };
  }
  // X-RateLimit-Remaining, X-Rate-Limit-Remaining, or with the name of a limit behind it; the draft's older RateLimit-Remaining.
  const old = answer.headers.filter(([name]) => /^(?:x-)?rate-?limit-remaining/.test(name));
  if (old.length === 0) return { form: undefined, left: undefined };
  const left = old.map(([, value]) => (/^\d{1,15}$/.test(value) ? Number(value) : Number.NaN));
  return left.some(Number.isNaN)
    ? { form: 'malformed', left: undefined }
    : { form: 'X-RateLimit', left: Math.min(...left) };
}

/** @returns milliseconds; `undefined` without a Retry-After that can be read, or with one of named limits only */
export function readRetryAfter(answer: Answer, nowMs: number): number | undefined {
  const value = valueOf(answer, 'retry-after');
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const time = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : time - nowMs;
}
