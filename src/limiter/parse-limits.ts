/* Reads limit strings, in the syntax of limits, slowapi and express-rate-limit: "10/second, 100 per 15 minutes". */
import { AgentSecurityConfigError } from '../common/config-error.js';
import { receivedError } from '../common/read-options.js';
import { TIME_UNITS, UNIT_MS } from '../common/parse-duration.js';

export interface ParsedLimit {
  readonly limit: number;
  readonly windowMs: number;
}

const LIMIT = /^(\d{1,15})[ \t]*(?:\/|per[ \t])[ \t]*(?:(\d{1,9})[ \t]*)?([a-z]+)$/i;

/** Larger numbers are a mistake, and counters would have to round them. */
export const MAX_LIMIT = 1_000_000_000;
const MAX_WINDOW_MS = 31 * UNIT_MS.day;
const MAX_LENGTH = 500;

/** Reads every limit of a text. @throws AgentSecurityConfigError for a syntax error, a limit of 0 and one that is too large */
export function parseLimits(option: string, text: string): readonly ParsedLimit[] {
  if (text.length > MAX_LENGTH) throw syntaxError(option, text.slice(0, 40), 'is too long');
  return text.split(/[,;|]/).map(part => parseLimit(option, part.trim()));
}

function parseLimit(option: string, text: string): ParsedLimit {
  const match = LIMIT.exec(text);
  if (match === null) throw syntaxError(option, text, 'is not a limit');
  const name = match[3]!.toLowerCase();
  if (name === 'm') throw syntaxError(option, text, 'leaves open whether "m" is a minute or a month');
  const unit = TIME_UNITS.get(name);
  if (unit === undefined) throw syntaxError(option, text, 'has an unknown unit');
  const limit = Number(match[1]);
  const windowMs = Number(match[2] ?? 1) * UNIT_MS[unit];
  checkLimit(option, limit, windowMs, text);
  return { limit, windowMs };
}

/** @throws AgentSecurityConfigError for a limit or a window out of range */
export function checkLimit(option: string, limit: number, windowMs: number, received: unknown): void {
  const limitFits = Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT;
  if (limitFits && Number.isFinite(windowMs) && windowMs >= 1 && windowMs <= MAX_WINDOW_MS) return;
  throw receivedError(
    'ASEC_LIMIT_RANGE',
    option,
    `must allow 1 to ${MAX_LIMIT} in a window of up to 31 days`,
    limit === 0
      ? 'To close a route, leave it out or guard it; a limit of 0 is none.'
      : 'Write for example "100/minute".',
    received,
  );
}

function syntaxError(option: string, text: string, problem: string): AgentSecurityConfigError {
  return receivedError(
    'ASEC_LIMIT_SYNTAX',
    option,
    problem,
    'Write for example "5/minute", "100/15 minutes" or "10/second, 100/minute"; units are s, min, h, d or their names.',
    text,
  );
}
