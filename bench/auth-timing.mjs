/* Does response time distinguish an unknown key from a wrong secret or a revoked key, and what does verifying cost? */
import { createHmac } from 'node:crypto';
import { request, Agent } from 'node:http';
import { readOptions } from './support/options.mjs';
import { prepare } from './support/prepare.mjs';
import { fixed, printTable } from './support/figures.mjs';

const options = readOptions({ rounds: 1, seconds: 1 });
prepare();
const { addKey, ApiKeyVerifier, EMPTY_BOOK, KeyBookStore, KeyDigests, parseKeyBook, revokeKey } =
  await import('../dist/index.js');
const { createApiKey } = await import('../dist/auth/api-key.js');

const TRIES = options.smoke ? 200 : 20_000;
const KINDS = ['unknown ID', 'wrong secret', 'revoked key'];
const SECRET = 'a secret of benches that is long enough';
const digests = new KeyDigests([SECRET]);
const newKey = { prefix: 'ask', nowMs: Date.now() };

/** A thousand keys; each try uses another one, so that no look-up is warmer than another. */
const KEYS = 1_000;
let book = EMPTY_BOOK;
const keys = [];
for (let index = 0; index < KEYS; index++) {
  // Many at once: adding them one by one would check the whole book each time.
  const added = addKey(EMPTY_BOOK, `agent-${index}`, { scopes: ['data:read'] }, digests, newKey);
  book = { agents: { ...book.agents, ...added.book.agents }, keys: [...book.keys, ...added.book.keys] };
  keys.push(added);
}
const half = KEYS / 2;
for (const { id } of keys.slice(half)) book = revokeKey(book, id, Date.now());
// As it is read from a file: texts of its own.
const store = new KeyBookStore(parseKeyBook(JSON.stringify(book)));
const clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };
const verifier = new ApiKeyVerifier(store, digests, 'ask', clock);

const pool = Array.from({ length: half }, (_each, at) => ({
  'unknown ID': createApiKey('ask').text,
  'wrong secret': createApiKey('ask', keys[at].id).text,
  'revoked key': keys[half + at].key,
}));
const make = (kind, at) => pool[at % half][kind];
/** Two runs of each kind: their difference is noise. */
const RUNS = KINDS.flatMap(kind => [`${kind}|a`, `${kind}|b`]);

/** Every round verifies once for each run, in an order of its own. */
async function interleave(verify) {
  const times = Object.fromEntries(RUNS.map(run => [run, new Float64Array(TRIES)]));
  for (let round = -Math.min(2_000, TRIES); round < TRIES; round++) {
    const order = shuffle([...RUNS]);
    for (const run of order) {
      const key = make(run.split('|')[0], Math.abs(round) * 7 + (run.endsWith('b') ? 3 : 0));
      // A text of its own, as a request brings it: not built a moment ago, and in no cache.
      const took = await verify(Buffer.from(key, 'latin1').toString('latin1'));
      if (round >= 0) times[run][round] = took;
    }
  }
  return times;
}

function shuffle(list) {
  for (let index = list.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [list[index], list[other]] = [list[other], list[index]];
  }
  return list;
}

/** The mean of the middle half: means follow the tail, and medians the clock's steps. */
function midmean(times) {
  const sorted = Float64Array.from(times).toSorted();
  const from = Math.floor(sorted.length / 4);
  const middle = sorted.subarray(from, sorted.length - from);
  return middle.reduce((sum, each) => sum + each, 0) / middle.length;
}

function report(title, times) {
  const both = kind => Float64Array.from([...times[`${kind}|a`], ...times[`${kind}|b`]]);
  const means = Object.fromEntries(KINDS.map(kind => [kind, midmean(both(kind))]));
  const apart = kind => Math.abs(midmean(times[`${kind}|a`]) - midmean(times[`${kind}|b`]));
  const noise = Math.max(...KINDS.map(apart));
  const rows = KINDS.map(kind => [kind, fixed(means[kind] * 1e3, 3), fixed(apart(kind) * 1e6, 1)]);
  printTable(title, ['kind', 'midmean, µs', 'its two runs apart, ns'], rows);
  let worst = 0;
  const pairs = KINDS.flatMap((one, index) => KINDS.slice(index + 1).map(other => [one, other]));
  printTable(
    `${title}: kinds against each other`,
    ['pair', 'apart, ns', 'two runs of one kind apart, at most, ns', 'within'],
    pairs.map(([one, other]) => {
      const difference = Math.abs(means[one] - means[other]);
      worst = Math.max(worst, difference / noise);
      return [
        `${one} / ${other}`,
        fixed(difference * 1e6, 1),
        fixed(noise * 1e6, 1),
        difference < noise ? 'yes' : 'NO',
      ];
    }),
  );
  return worst;
}

/* ---- what verifying costs ---- */

/** CPU time: what others do on the machine does not count. */
async function cost(verify) {
  const count = options.smoke ? 1_000 : 100_000;
  for (let index = 0; index < count / 5; index++) await verify(index);
  const begin = process.cpuUsage();
  for (let index = 0; index < count; index++) await verify(index);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / count;
}
const accepted = await cost(at => verifier.verify(keys[at % half].key));
const guesses = Array.from({ length: 1_000 }, (_each, at) => make('wrong secret', at));
const rejected = await cost(at => verifier.verify(guesses[at % guesses.length]));
const hmac = await cost(async at =>
  createHmac('sha256', SECRET)
    .update(keys[at % half].key)
    .digest(),
);
printTable(
  'One verification, without a cache',
  ['what', 'CPU µs'],
  [
    ['a valid key', fixed(accepted, 2)],
    ['a wrong secret', fixed(rejected, 2)],
    ['an HMAC-SHA-256 alone', fixed(hmac, 2)],
  ],
);

/* ---- what time tells ---- */

const selected = where => options.only.length === 0 || options.only.includes(where);

if (selected('process')) {
  report(
    `In the process, ${TRIES} tries of each run`,
    await interleave(async key => {
      const begin = performance.now();
      await verifier.verify(key);
      return performance.now() - begin;
    }),
  );
}

if (selected('http')) {
  const { startAuthApp } = await import('./support/auth-app.mjs');
  const app = await startAuthApp(book, SECRET);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = key =>
    new Promise((resolve, reject) => {
      const begin = performance.now();
      request(
        { host: '127.0.0.1', port: app.port, path: '/me', agent, headers: { 'X-API-Key': key } },
        response => {
          response.resume();
          response.on('end', () => {
            if (response.statusCode !== 401) reject(new Error(`answered ${response.statusCode}`));
            else resolve(performance.now() - begin);
          });
        },
      )
        .on('error', reject)
        .end();
    });
  report(`Over HTTP on loopback, ${TRIES} tries of each run`, await interleave(get));
  agent.destroy();
  await app.close();
}
