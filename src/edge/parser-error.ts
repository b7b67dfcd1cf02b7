/* The response to bytes that Node's parser rejects: Node's own response would carry none of the module's headers. */
import type { Duplex } from 'node:stream';
import type { ProblemFields } from '../common/problem.js';
import type { Edge } from './edge.js';

export function answerParserError(error: NodeJS.ErrnoException, socket: Duplex, edge: Edge): void {
  const { _httpMessage: current } = socket as Duplex & { _httpMessage?: { headersSent: boolean } | null };
  // The client has disconnected, or another response is being sent.
  if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent) socket.destroy();
  else edge.answerUnreadable(socket, parserProblem(error.code));
}

function parserProblem(code: string | undefined): ProblemFields {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, code: 'too_many_headers', detail: 'The head of the request is too large.' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'request_timeout', detail: 'The request did not arrive in time.' };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: 413,
        code: 'body_too_large',
        detail: 'The chunks of the body carry too much beside it.',
      };
    default:
      return { status: 400, code: 'request_malformed', detail: 'The request is not valid HTTP.' };
  }
}
