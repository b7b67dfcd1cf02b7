/* Peers that leave at the worst moment. */
import { connect, type Socket } from 'node:net';

/** Sends bytes and resets the connection at once, `count` times; resolves when all of them are gone. */
export async function sendAndReset(port: number, bytes: string, count: number): Promise<void> {
  const gone: Promise<unknown>[] = [];
  for (let index = 0; index < count; index++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    gone.push(new Promise(resolve => socket.once('close', resolve)));
    socket.once('connect', () => reset(socket, bytes));
    // A server's queue of connections is short: what does not fit would be dropped by the kernel.
    if (index % 50 === 49) await Promise.all(gone.splice(0));
  }
  await Promise.all(gone);
}

function reset(socket: Socket, bytes: string): void {
  socket.write(Buffer.from(bytes, 'latin1'));
  socket.resetAndDestroy();
}
