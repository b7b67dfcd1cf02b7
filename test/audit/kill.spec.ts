/* `kill -9` in the middle of a burst, again and again on one file: what was answered is on record, and the chain is whole. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { dirname, join } from 'node:path';
import { verifyChain } from '../../src/audit/verify-chain.js';
import { KEY, scratchFile } from './support.js';

const ROOT = join(__dirname, '..', '..');
const CALLERS = 16;

beforeAll(() => {
  execFileSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', 'tsconfig.build.json'],
    {
      cwd: ROOT,
      stdio: 'inherit',
    },
  );
}, 120_000);

/** Whether the call was answered with success. */
function call(agent: Agent, port: number, id: string): Promise<boolean> {
  return new Promise(resolve => {
    const body = JSON.stringify({ id });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request({ host: '127.0.0.1', port, path: '/run', method: 'POST', agent, headers });
    outgoing.on('response', response => {
      response.resume();
      response.on('error', () => resolve(false));
      response.on('end', () => resolve(response.statusCode === 201));
    });
    outgoing.on('error', () => resolve(false));
    outgoing.end(body);
  });
}

/** Starts the app, calls without pause, and kills it once so many calls have been answered. @returns the IDs of those */
async function burst(platform: string, file: string, round: number, killAfter: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [join(__dirname, 'burst-app.mjs'), JSON.stringify({ platform, file, key: KEY })],
    { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const exited = once(child, 'exit');
  const [port] = (await once(child, 'message')) as [number];
  const agent = new Agent({ keepAlive: true });
  const answered: string[] = [];
  let dead = false;
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let index = 0; !dead; index++) {
        const id = `${round}/${caller}/${index}`;
        if (await call(agent, port, id)) answered.push(id);
        if (answered.length >= killAfter && !dead) {
          dead = true;
          child.kill('SIGKILL');
        }
      }
    }),
  );
  agent.destroy();
  expect(await exited).toEqual([null, 'SIGKILL']);
  return answered;
}

interface Line {
  readonly event: string;
  readonly params?: { readonly body?: { readonly id?: string } };
}

function recordedIds(file: string): Set<string | undefined> {
  const names = readdirSync(dirname(file)).filter(name => /^audit\.log(?:\.\d{12})?$/.test(name));
  const all = names.flatMap(name =>
    readFileSync(join(dirname(file), name), 'utf8')
      .split('\n')
      .slice(0, -1),
  );
  return new Set(
    all
      .map(text => {
        try {
          return JSON.parse(text) as Line;
        } catch {
          return undefined;
        }
      })
      .filter(line => line?.event === 'started')
      .map(line => line!.params?.body?.id),
  );
}

it.each(['Express', 'Fastify'])(
  'every answered call is on record, on %s',
  async platform => {
    const file = scratchFile();
    const answered: string[] = [];
    for (const [round, killAfter] of [1, 40, 7, 150, 90].entries()) {
      answered.push(...(await burst(platform, file, round, killAfter)));
      const { faults, lines } = await verifyChain(file, KEY);
      expect(faults).toEqual([]);
      expect(lines).toBeGreaterThanOrEqual(answered.length);
      const recorded = recordedIds(file);
      expect(answered.filter(id => !recorded.has(id))).toEqual([]);
    }
    expect(answered.length).toBeGreaterThanOrEqual(288);
    expect(readdirSync(dirname(file)).some(name => /\.\d{12}$/.test(name))).toBe(true);
  },
  120_000,
);
