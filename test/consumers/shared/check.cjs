/* What each consumer project asserts about its app, by `send(headers)`, which resolves with `{ status, headers }`. */
const assert = require('node:assert/strict');
const { get } = require('node:http');

/** Sends over HTTP to the app that listens on the port. */
const sendTo = port => headers =>
  new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, headers: { Host: 'localhost', ...headers } }, response => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    request.on('error', reject);
  });

module.exports = async function assertProtected(target) {
  const send = typeof target === 'function' ? target : sendTo(target);
  const granted = await send({});
  assert.equal(granted.status, 200);
  assert.equal(granted.headers['x-content-type-options'], 'nosniff');
  assert.equal(granted.headers['ratelimit-policy'], '"2-per-minute";q=2;w=60');
  assert.ok(granted.headers['x-request-id']);
  const foreign = await send({ Host: 'evil.example' });
  assert.deepEqual([foreign.status, foreign.headers['content-type']], [421, 'application/problem+json']);
  assert.equal((await send({})).status, 200);
  const limited = await send({});
  assert.deepEqual([limited.status, limited.headers['content-type']], [429, 'application/problem+json']);
};
