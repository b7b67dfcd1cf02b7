import type { IncomingMessage } from 'node:http';

/** For a longer unread body, the connection is closed instead of reading to its end. */
const DRAINABLE_BYTES = 65_536;

/** Whether a request declares a body that is too long to discard. */
export function hasLongBody({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > DRAINABLE_BYTES
  );
}
