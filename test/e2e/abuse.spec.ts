/* The abuse fuzzer. Hostile connections against every kind of endpoint of an app in a process of its own. After each round: the process
 * lives, every tool call that ran has exactly one audit outcome, no connection, stream, concurrency lease or audit reservation is left,
 * and memory is back at its level. `ABUSE_REQUESTS` sets how many requests are sent, `ABUSE_SEED` repeats a run. */
import { once } from 'node:events';
import { Random } from '../support/abuse/client.js';
import { AbusedApp, attack, build, KEY, type Result } from '../support/abuse/process.js';
import { request } from '../support/http.js';

const REQUESTS = Number(process.env.ABUSE_REQUESTS ?? 10_000) / 2;
const SEED = Number(process.env.ABUSE_SEED ?? 1);
const ROUNDS = 5;
/** What V8 may keep for itself between two rounds. */
const MAX_GROWTH_BYTES = 8 * 1_048_576;
const HEADERS = { 'X-API-Key': KEY };

beforeAll(build, 120_000);

let app: AbusedApp | undefined;
afterEach(() => void app?.child.kill('SIGKILL'));

it.each(['Express', 'Fastify'])(
  '%s survives hostile requests with nothing left behind',
  async platform => {
    app = await AbusedApp.start(platform);
    const { port, concurrency, child } = app;
    const random = new Random(SEED);
    let level: number | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      await attack(app.target, random, REQUESTS / ROUNDS);
      expect(app.isAlive).toBe(true);
      expect(await app.settle()).toEqual({ running: 0, streams: 0, connections: 0 });
      const slow = await Promise.all(
        Array.from({ length: concurrency }, () => request(port, { path: '/slow', headers: HEADERS })),
      );
      expect(slow.map(answer => answer.status)).toEqual(slow.map(() => 200));
      const tool = await request(port, { path: '/tool', method: 'POST', headers: HEADERS });
      expect(tool.status).toBe(201);
      await app.settle();
      const result = await app.request<Result>('result');
      expect(result.found).toEqual([]);
      expect(result.faults).toEqual([]);
      expect(result.calls).toBeGreaterThan(0);
      level ??= result.heapBytes;
      expect(result.heapBytes).toBeLessThan(level + MAX_GROWTH_BYTES);
    }
    child.send('close');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
  },
  600_000,
);
