/* The algorithms of other packages, reduced to their decision. Each function returns whether a request at `nowMs` is admitted. */

/** Every admitted hit, until it is a window old: what a limit means, word for word. */
export function exactLog(limit, windowMs) {
  const hits = [];
  return nowMs => {
    while (hits.length > 0 && hits[0] <= nowMs - windowMs) hits.shift();
    if (hits.length >= limit) return false;
    hits.push(nowMs);
    return true;
  };
}

/** express-rate-limit, rate-limiter-flexible, @fastify/rate-limit: opens with the first hit, starts afresh when it closes. */
export function fixedWindow(limit, windowMs) {
  let endsMs = -Infinity;
  let hits = 0;
  return nowMs => {
    if (nowMs >= endsMs) [endsMs, hits] = [nowMs + windowMs, 0];
    hits += 1;
    return hits <= limit;
  };
}

/** @nestjs/throttler: a log, and a client that exceeds it is denied for a whole window and then starts afresh. */
export function logAndBlock(limit, windowMs) {
  let hits = [];
  let blockedUntilMs = -Infinity;
  return nowMs => {
    if (nowMs < blockedUntilMs) return false;
    if (blockedUntilMs !== -Infinity) [hits, blockedUntilMs] = [[], -Infinity];
    hits = hits.filter(hitMs => hitMs > nowMs - windowMs);
    hits.push(nowMs);
    if (hits.length <= limit) return true;
    blockedUntilMs = nowMs + windowMs;
    return false;
  };
}

/** What many scripts for Redis keep: this window's count, and the last one's in proportion to what it still overlaps. */
export function slidingCounter(limit, windowMs) {
  let current = -1;
  let hits = 0;
  let earlier = 0;
  return nowMs => {
    const index = Math.floor(nowMs / windowMs);
    if (index !== current) {
      earlier = index === current + 1 ? hits : 0;
      [current, hits] = [index, 0];
    }
    const overlap = 1 - (nowMs - index * windowMs) / windowMs;
    if (hits + earlier * overlap + 1 > limit) return false;
    hits += 1;
    return true;
  };
}

/** Counters of a tenth of the window each; the one that is partly out of the window counts in proportion. */
export function subWindows(limit, windowMs, parts = 10) {
  const partMs = windowMs / parts;
  const counts = new Map();
  return nowMs => {
    const current = Math.floor(nowMs / partMs);
    const overlap = 1 - (nowMs - current * partMs) / partMs;
    let hits = 0;
    for (const [part, count] of counts) {
      if (part < current - parts) counts.delete(part);
      else hits += part === current - parts ? count * overlap : count;
    }
    if (hits + 1 > limit) return false;
    counts.set(current, (counts.get(current) ?? 0) + 1);
    return true;
  };
}
