/* What no implementation goes below: the bytes that the module adds, as text that is known beforehand, with a fresh ID and two plain
 * counters. It looks up no client and checks nothing. */
import { randomUUID } from 'node:crypto';
import { STATIC_HEADERS } from './floor.mjs';

const END = '\r\n';
const COUNTERS_START = 100_000_000;

export function installTextFloor(app) {
  const isFastify = app.getHttpAdapter().getType() === 'fastify';
  const fixed = Object.entries(STATIC_HEADERS).map(([name, value]) => `${name}: ${value}${END}`);
  const beforeId = `${fixed.join('')}X-Request-ID: `;
  const beforeSecond =
    `${END}X-RateLimit-Limit: ${COUNTERS_START}${END}X-RateLimit-Reset: 1893456000${END}` +
    `RateLimit-Policy: "100000000-per-second";q=100000000;w=1, "100000000-per-minute";q=100000000;w=60${END}` +
    `RateLimit: "100000000-per-second";r=`;
  const counters = { second: COUNTERS_START, minute: COUNTERS_START };

  app.getHttpAdapter().disable?.('x-powered-by');
  app.getHttpAdapter().setOnRequestHook((_request, reply, done) => {
    const response = isFastify ? reply.raw : reply;
    response.writeHead = writeHeadWithText;
    counters.second -= 1;
    counters.minute -= 1;
    response.floorText =
      `${beforeId}${randomUUID()}${beforeSecond}${counters.second};t=1, "100000000-per-minute";r=${counters.minute};t=60${END}` +
      `X-RateLimit-Remaining: ${counters.minute}${END}${END}`;
    done();
  });
}

/** Between `writeHead` and the first bytes of the body, Node keeps the head as text in this undocumented member. */
function writeHeadWithText(...parameters) {
  Object.getPrototypeOf(this).writeHead.apply(this, parameters);
  this._header = this._header.slice(0, -END.length) + this.floorText;
  return this;
}
