import type { IncomingMessage } from 'node:http';

/** A body beyond this is not read to the end for the sake of a connection; the connection is closed instead. */
const DRAINABLE_BYTES = 65_536;

/** Whether a request announces more of a body than is worth reading for nobody. */
export function hasLongBody({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > DRAINABLE_BYTES
  );
}
