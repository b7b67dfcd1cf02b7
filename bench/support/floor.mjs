/* The limit to approach: one hand-written hook that sends the headers that the module sends and does its look-ups (ID, host, origin,
 * three counters), with every value that can be known beforehand written down, and no generality at all. */
import { randomUUID } from 'node:crypto';

export const STATIC_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), ' +
    'microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), ' +
    'xr-spatial-tracking=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
  Vary: 'Origin',
};

const ACCEPTED_ID = /^[\w.:@+=-]{1,128}$/;
const HOSTS = new Set(['127.0.0.1', 'localhost']);

class Counter {
  #hits = new Map();

  constructor(limit, windowMs) {
    this.limit = limit;
    this.windowMs = windowMs;
    this.resetMs = 0;
  }

  /** Units left, less than 0 for a denied request. */
  take(address, nowMs) {
    const entry = this.#hits.get(address);
    if (entry === undefined || nowMs >= entry.endsMs) {
      this.resetMs = this.windowMs;
      this.#hits.set(address, { left: this.limit - 1, endsMs: nowMs + this.windowMs });
      return this.limit - 1;
    }
    this.resetMs = entry.endsMs - nowMs;
    if (entry.left === 0) return -1;
    entry.left -= 1;
    return entry.left;
  }
}

export function installFloor(app, { limit }) {
  const isFastify = app.getHttpAdapter().getType() === 'fastify';
  const flood = new Counter(1_000_000_000, 1_000);
  const second = new Counter(1_000_000_000, 1_000);
  const minute = new Counter(limit, 60_000);
  const policy = `"per-second";q=${second.limit};w=1, "per-minute";q=${limit};w=60`;

  app.getHttpAdapter().disable?.('x-powered-by');
  app.getHttpAdapter().setOnRequestHook((request, response, done) => {
    const raw = isFastify ? request.raw : request;
    const { headers } = raw;
    const incoming = headers['x-request-id'];
    const id = incoming !== undefined && ACCEPTED_ID.test(incoming) ? incoming : randomUUID();
    raw.id = id;
    const { host } = headers;
    const colon = host.indexOf(':');
    if (!HOSTS.has(colon === -1 ? host : host.slice(0, colon)) || headers.origin !== undefined) {
      throw new Error('The floor knows one host and no origin');
    }
    const nowMs = performance.now();
    const address = raw.socket.remoteAddress;
    flood.take(address, nowMs);
    const secondsLeft = second.take(address, nowMs);
    const secondReset = Math.ceil(second.resetMs / 1000);
    const left = minute.take(address, nowMs);
    const seconds = Math.ceil(minute.resetMs / 1000);
    const remaining = Math.max(0, left);
    const own = {
      'X-Request-ID': id,
      ...STATIC_HEADERS,
      'X-RateLimit-Limit': String(limit),
      'X-RateLimit-Remaining': String(remaining),
      'X-RateLimit-Reset': String(Math.ceil((Date.now() + minute.resetMs) / 1000)),
      'RateLimit-Policy': policy,
      RateLimit: `"per-second";r=${secondsLeft};t=${secondReset}, "per-minute";r=${remaining};t=${seconds}`,
    };
    if (left < 0) {
      reject(isFastify ? response.raw : response, own, id, limit, seconds);
      if (isFastify) response.hijack();
      return;
    }
    if (isFastify) response.headers(own);
    else for (const name in own) response.setHeader(name, own[name]);
    done();
  });
}

function reject(response, headers, id, limit, seconds) {
  const body = JSON.stringify({
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Too Many Requests',
    status: 429,
    detail: `Limit: ${limit} requests per 1 minute`,
    code: 'rate_limited',
    requestId: id,
    retryable: true,
    retry_after_seconds: seconds,
    'violated-policies': ['per-minute'],
  });
  headers['Retry-After'] = String(seconds);
  headers['Content-Type'] = 'application/problem+json';
  headers['Content-Length'] = String(Buffer.byteLength(body));
  response.writeHead(429, headers);
  response.end(body);
}
