/* A Redis of the bench's own, on a core of its own where the machine can. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { CAN_PIN, SERVER_CORE } from './child.mjs';

export const HAS_REDIS = spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;

export async function startRedis(port) {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const command = CAN_PIN
    ? ['taskset', ['-c', String(SERVER_CORE), 'redis-server', ...args]]
    : ['redis-server', args];
  const redis = spawn(...command, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const text of redis.stdout.iterator({ destroyOnReturn: false })) {
    if (text.includes('Ready to accept connections')) break;
  }
  redis.stdout.resume();
  return redis;
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
