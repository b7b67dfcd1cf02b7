/* Options of @nestjs/throttler, express-rate-limit and @fastify/rate-limit, and what to write in place of them. */
import { type ForeignNames, literal, renamed } from '../common/foreign-names.js';
import { isRecord } from '../common/read-options.js';
import { UNIT_MS } from '../common/parse-duration.js';

type Options = Readonly<Record<string, unknown>>;

/** `10/minute` of `{ ttl: 60000, limit: 10 }`, `{ windowMs, max }`, `{ timeWindow, max }` or `{ duration, points }`; `undefined` for others. */
function limitText({ ttl, windowMs, timeWindow, duration, limit, max, points }: Options): string | undefined {
  const window = Number(
    ttl ?? windowMs ?? timeWindow ?? (typeof duration === 'number' ? duration * 1_000 : NaN),
  );
  const units = Number(limit ?? max ?? points);
  // @nestjs/throttler counted seconds before version 5.
  const ms = window < 1_000 ? window * 1_000 : window;
  if (!Number.isInteger(units) || !Number.isInteger(ms / 1_000) || units < 1 || ms <= 0) return undefined;
  const [unit, unitMs] = Object.entries(UNIT_MS)
    .toReversed()
    .find(([, length]) => ms % length === 0)!;
  return ms === unitMs ? `${units}/${unit}` : `${units}/${ms / unitMs} ${unit}s`;
}

/** One limit of another library, as it is written here. @param name of the limit, if it has one */
function limitRemedy(options: Options, before = '', name?: string): string {
  const text = limitText(options);
  const shown = `"${text ?? '10/minute'}"`;
  const example = text === undefined ? 'for example ' : '';
  return `Write ${example}${before}${name === undefined ? shown : `{ limit: ${shown}, name: "${name}" }`}.`;
}

const ofWhole =
  (before?: string) =>
  (_value: unknown, options: Options): string =>
    limitRemedy(options, before);

/** The sets of `@Throttle({ short: { ttl, limit } })`. */
const ofSet =
  (name?: string, before?: string) =>
  (value: unknown): string =>
    limitRemedy(isRecord(value) ? value : {}, before, name);

const BLOCK = 'Remove it, or keep @Throttle() on the route that needs it: the module enforces both.';
const SKIP = 'Use exemptPaths, or @SkipRateLimit() on the route.';

/** What all of these libraries have, on the module and on a route. */
const COMMON: ForeignNames = {
  blockDuration: BLOCK,
  getTracker: 'Write key, a function of the request: key: request => …',
  generateKey: 'Write key, a function of the request: key: request => …',
  keyGenerator: 'Write key, a function of the request: key: request => …',
  skip: SKIP,
  skipIf: SKIP,
  ignoreUserAgents: 'Remove it: any client can send the User-Agent of another. Use exemptPaths.',
};

/** One limit: of `limits` or of `@RateLimit()`. */
export const FOREIGN_LIMIT: ForeignNames = {
  ...COMMON,
  ttl: ofWhole(),
  windowMs: ofWhole(),
  timeWindow: ofWhole(),
  max: ofWhole(),
  duration: ofWhole(),
  points: ofWhole(),
  default: ofSet(),
  short: ofSet('short'),
  medium: ofSet('medium'),
  long: ofSet('long'),
};

function throttlersRemedy(value: unknown): string {
  const throttlers = Array.isArray(value) ? value.filter(isRecord) : [];
  const texts = throttlers.map(limitText);
  const isWhole = texts.length > 0 && !texts.includes(undefined);
  return `Write ${isWhole ? '' : 'for example '}limits: ${literal(isWhole ? texts : ['10/second', '100/minute'])}.`;
}

/** The option `rateLimit`. */
export const FOREIGN_RATE_LIMIT: ForeignNames = {
  ...COMMON,
  ttl: ofWhole('limits: '),
  windowMs: ofWhole('limits: '),
  timeWindow: ofWhole('limits: '),
  max: ofWhole('limits: '),
  duration: ofWhole('limits: '),
  points: ofWhole('limits: '),
  limit: (value, options) =>
    limitText(options) === undefined ? renamed('limits')(value) : limitRemedy(options, 'limits: '),
  throttlers: throttlersRemedy,
  default: ofSet(undefined, 'limits: '),
  storage: 'Write store: a QuotaStore or a ThrottlerStorage; REDIS_URL opens one by itself.',
  redis: 'Set REDIS_URL, or store: a QuotaStore.',
  setHeaders: renamed('headers'),
  standardHeaders: 'Write headers: true or false.',
  legacyHeaders: 'Write headers: true or false.',
  addHeaders: 'Write headers: true or false.',
  passOnStoreError: 'Write onStoreError: "allow", or "local" to count in the process.',
  skipOnError: 'Write onStoreError: "allow", or "local" to count in the process.',
  allowList: 'Write exemptPaths for probes; for trusted clients give them a tier: tiers, tier.',
  cache: renamed('maxClients'),
  errorMessage:
    'Remove it: the response is problem+json with the code rate_limited. RateLimitGuard can be replaced.',
  message:
    'Remove it: the response is problem+json with the code rate_limited. RateLimitGuard can be replaced.',
  handler:
    'Remove it: the response is problem+json with the code rate_limited. RateLimitGuard can be replaced.',
  statusCode: 'Remove it: the status is 429.',
  identifier: 'Remove it: each limit has its name, { limit, name }.',
  skipSuccessfulRequests: 'Count in your own code: RateLimiter.consume() where an attempt fails.',
  skipFailedRequests: 'Count in your own code: RateLimiter.consume() where an attempt succeeds.',
};
