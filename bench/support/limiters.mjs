/* The limiters that are compared, each called as its own package calls it: one call from a key to the numbers of the
 * headers. */
import { createRequire } from 'node:module';
import { ThrottlerStorageService } from '@nestjs/throttler';
import { MemoryStore } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { addressKey } from '../../dist/common/ip-address.js';
import { hashKey } from '../../dist/common/hash-key.js';
import { EVERY_POLICY, consume } from '../../dist/limiter/consume.js';
import { createPolicy } from '../../dist/limiter/create-policy.js';
import { quotaHeaders } from '../../dist/limiter/quota-headers.js';
import { QuotaTable } from '../../dist/limiter/table/quota-table.js';
import { OURS_IN_PARTS } from './decision-parts.mjs';

const LocalStore = createRequire(import.meta.url)('@fastify/rate-limit/store/LocalStore.js');

export const WINDOW_MS = 60_000;

/**
 * @typedef {object} Limiter
 * @property {(key: unknown) => unknown} decide whether one request is granted; a promise where the package's own API gives one
 * @property {(key: unknown, hits: number) => unknown} fill adds so many hits at once
 * @property {(address: string) => unknown} [keyOf] what a caller keeps of a client in place of its address
 * @property {() => number} size clients held
 */

/** How far the limiters' clocks are ahead of the machine's: simulated time passes as fast as a test wants. */
export const time = { aheadMs: 0 };
const realNow = Date.now;
Date.now = () => realNow() + time.aheadMs;
const monotonicMs = () => performance.now() + time.aheadMs;

/**
 * `windows: 2` are what the module's defaults check for each request: the limit in a minute, and as much in a second.
 * @param {{ variant: string, limit: number, windows?: number, maxClients?: number }} settings
 * @returns {Limiter}
 */
export function createLimiter({ variant, limit, windows = 1, maxClients = 100_000_000 }) {
  return LIMITERS[variant](limit, windows, maxClients);
}

const LIMITERS = {
  throttler: createThrottler,
  'rate-limiter-flexible': createRateLimiterFlexible,
  'express-rate-limit': createExpressRateLimit,
  'fastify-rate-limit': createFastifyRateLimit,
  map: createMap,
  // As in the request hook: a connection keeps its client's key.
  ours: (limit, windows, maxClients) => ({
    ...createOurs(limit, windows, maxClients, key => key),
    keyOf: addressKey,
  }),
  'ours-address': (limit, windows, maxClients) => createOurs(limit, windows, maxClients, addressKey),
  'ours-text': (limit, windows, maxClients) => createOurs(limit, windows, maxClients, text => hashKey(text)),
  'ours-headers': createOursWithHeaders,
  ...Object.fromEntries(
    OURS_IN_PARTS.map((part, index) => [
      part,
      (limit, windows, maxClients) => createOursUpTo(index, limit, windows, maxClients),
    ]),
  ),
};

/** Its guard hashes the key with SHA-256 first; that is left out here. */
function createThrottler(limit, windows) {
  const storage = new ThrottlerStorageService();
  const names = Array.from({ length: windows }, (_, index) => `window${index}`);
  const increment = (key, name) => storage.increment(`${key}:${name}`, WINDOW_MS, limit, WINDOW_MS, name);
  return {
    async decide(key) {
      let granted = true;
      for (const name of names) granted = !(await increment(key, name)).isBlocked && granted;
      return granted;
    },
    async fill(key, hits) {
      for (const name of names) {
        await increment(key, name);
        // Its log, filled directly: through increment() this would cost the square of the hits.
        const log = storage.hitExpirations.get(`${key}:${name}`).get(name);
        for (let hit = 1; hit < hits; hit++) log.push(Date.now() + WINDOW_MS);
      }
    },
    size: () => storage.storage.size / windows,
  };
}

function createRateLimiterFlexible(limit) {
  const limiter = new RateLimiterMemory({ points: limit, duration: WINDOW_MS / 1000 });
  const decide = key =>
    limiter.consume(key).then(
      () => true,
      () => false,
    );
  return { decide, fill: decide, size: () => limiter._memoryStorage._storage.size };
}

function createExpressRateLimit(limit) {
  const store = new MemoryStore();
  store.init({ windowMs: WINDOW_MS });
  const decide = async key => (await store.increment(key)).totalHits <= limit;
  return { decide, fill: decide, size: () => store.current.size + store.previous.size };
}

/** Its default of 5,000 clients would forget the others, so it gets room for all. */
function createFastifyRateLimit(limit, _windows, maxClients) {
  const store = new LocalStore(false, false, maxClients);
  let granted = false;
  const note = (_error, { current }) => {
    granted = current <= limit;
  };
  const decide = key => {
    store.incr(key, note, WINDOW_MS, limit);
    return granted;
  };
  return { decide, fill: decide, size: () => store.lru.size };
}

/** The least that a fixed window can cost in plain JavaScript: one number a client, and no expiry of clients. */
function createMap(limit) {
  const hits = new Map();
  let windowEndsMs = Date.now() + WINDOW_MS;
  const decide = key => {
    const nowMs = Date.now();
    if (nowMs >= windowEndsMs) {
      hits.clear();
      windowEndsMs = nowMs + WINDOW_MS;
    }
    const count = (hits.get(key) ?? 0) + 1;
    hits.set(key, count);
    return count <= limit;
  };
  return { decide, fill: decide, size: () => hits.size };
}

const SPANS_MS = [WINDOW_MS, 1_000, 3_600_000];

function createOurs(limit, windows, maxClients, keyOf) {
  const policies = SPANS_MS.slice(0, windows).map(windowMs => createPolicy({ limit, windowMs }));
  const table = new QuotaTable(policies, maxClients);
  const decide = (key, cost) =>
    consume([{ table, mask: EVERY_POLICY, key: keyOf(key), cost }], monotonicMs());
  return {
    decision: key => decide(key, 1),
    decide: key => decide(key, 1).granted,
    fill: decide,
    size: () => table.size,
  };
}

function createOursWithHeaders(limit, windows, maxClients) {
  const ours = createOurs(limit, windows, maxClients, key => key);
  return {
    ...ours,
    keyOf: addressKey,
    decide: key => {
      const decision = ours.decision(key);
      return quotaHeaders(decision, Date.now(), true).length > 0 && decision.granted;
    },
  };
}

/** A decision that ends behind one of its parts: where its time goes. */
function createOursUpTo(part, limit, windows, maxClients) {
  const policies = SPANS_MS.slice(0, windows).map(windowMs => createPolicy({ limit, windowMs }));
  const table = new QuotaTable(policies, maxClients);
  const decide = ({ hi, lo }) => {
    if (part === 0) return lo !== 0;
    const nowMs = monotonicMs();
    if (part === 1) return nowMs > 0;
    table.find(hi, lo, nowMs);
    if (part === 2) return table.at >= 0;
    let granted = true;
    for (let policy = 0; policy < windows; policy++) if (table.available(policy, nowMs) < 1) granted = false;
    if (part === 3 || !granted) return granted;
    for (let policy = 0; policy < windows; policy++) table.charge(policy, nowMs, 1);
    return granted;
  };
  const fill = (key, cost) => consume([{ table, mask: EVERY_POLICY, key, cost }], monotonicMs());
  return { decide, fill, keyOf: addressKey, size: () => table.size };
}

/** The `index`th client's address. */
export function addressOf(index) {
  const high = 10 + (index >>> 24);
  return `${high}.${(index >>> 16) & 255}.${(index >>> 8) & 255}.${index & 255}`;
}
