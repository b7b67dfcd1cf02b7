/* Nest 11 sends the exception of a message to clients of socket.io only: on a socket of `ws` it emits a local event, so the client would
 * wait for ever. Later versions send it. */
interface NativeClient {
  readonly readyState: number;
  send(text: string): unknown;
  on(event: 'exception', listener: (payload: object) => void): unknown;
}

const OPEN = 1;
const observed = new WeakSet<object>();
const rejections = new WeakSet<object>();

/**
 * Sends the payload of a rejection where Nest's filter emits it locally. A filter of the app that responds by itself emits nothing.
 * @param client of a gateway's message
 */
export function sendWhereEmitted(client: unknown, payload: object): void {
  if (!isNative(client)) return;
  rejections.add(payload);
  if (observed.has(client)) return;
  observed.add(client);
  client.on('exception', emitted => {
    // Exceptions of the app are the app's.
    if (rejections.has(emitted) && client.readyState === OPEN)
      client.send(JSON.stringify({ event: 'exception', data: emitted }));
  });
}

/** As Nest 12 distinguishes them: the sockets of socket.io have no `readyState`. */
function isNative(client: unknown): client is NativeClient {
  if (typeof client !== 'object' || client === null) return false;
  const { readyState, send, on } = client as Partial<NativeClient>;
  return typeof readyState === 'number' && typeof send === 'function' && typeof on === 'function';
}
