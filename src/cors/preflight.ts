import type { IncomingMessage } from 'node:http';

/**
 * Whether a request is a CORS preflight (Fetch, "CORS-preflight request"): OPTIONS with Origin and
 * Access-Control-Request-Method. A browser never sends a body with it.
 */
export function isPreflight(raw: IncomingMessage): boolean {
  const { method, headers } = raw;
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined &&
    !hasBody(raw)
  );
}

function hasBody(raw: IncomingMessage): boolean {
  const { headers } = raw;
  // In HTTP/2 a body needs neither header.
  const { stream } = raw as IncomingMessage & { stream?: { endAfterHeaders?: boolean } };
  return (
    headers['transfer-encoding'] !== undefined ||
    Number(headers['content-length'] ?? 0) !== 0 ||
    stream?.endAfterHeaders === false
  );
}
