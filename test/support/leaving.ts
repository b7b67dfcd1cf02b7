/* Clients that leave before they are answered. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';

/** One request as it stands on the wire. */
export function wire(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): string {
  const fields = { Host: '127.0.0.1', 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** Sends requests in one segment on a connection of their own. The caller resets or destroys the socket. */
export async function pipeline(port: number, ...requests: readonly string[]): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(requests.join(''));
  return socket;
}

/** Waits, turn by turn of the event loop, until something holds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (await holds()) return;
    await new Promise(resolve => setImmediate(resolve));
  }
  throw new Error(`It never came about: ${what}`);
}

/** Resets a connection, and waits until the server has no connection left. */
export async function reset(server: Server, socket: Socket): Promise<void> {
  socket.resetAndDestroy();
  await until('the server sees the reset', async () => {
    const count = await new Promise<number>(resolve =>
      server.getConnections((_error, connections) => resolve(connections)),
    );
    return count === 0;
  });
}
