/* Detects MCP endpoints that no configured path covers, by their responses: their calls would be neither checked nor recorded. It changes
 * no response. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EdgeStage } from '../common/edge-stage.js';
import { type Log, logLine } from '../common/log-text.js';
import { requestPath } from '../common/http-request.js';
import { observeBody } from './shape-response.js';

/** The paths that are logged: one with a parameter must not fill the log. */
const MAX_PATHS = 20;
const MAX_PATH_LENGTH = 200;
/** The bytes of a response that are inspected. The response to `initialize` is shorter. */
const MAX_LENGTH = 65_536;

export class EndpointDetector implements EdgeStage {
  readonly #found = new Set<string>();

  constructor(
    /** `undefined` where the `mcp` option is not set. */
    private readonly paths: { has(target: string): boolean } | undefined,
    private readonly log: Log,
  ) {}

  /** Whether an MCP client may have sent it: each of its POSTs accepts both kinds of answers (MCP, Streamable HTTP). */
  claims({ method, headers, url = '' }: IncomingMessage): boolean {
    if (method !== 'POST' || this.#found.size >= MAX_PATHS) return false;
    const { accept } = headers;
    if (accept === undefined || !accept.includes('text/event-stream') || !accept.includes('application/json'))
      return false;
    return this.paths?.has(url) !== true && !this.#found.has(nameOf(url));
  }

  run(raw: IncomingMessage, response: ServerResponse): true {
    let parts: Buffer[] | undefined = [];
    let length = 0;
    const inspect = (): void => {
      if (parts !== undefined && isMcp(raw, Buffer.concat(parts).toString('latin1')))
        this.#report(raw.url ?? '');
      parts = undefined;
    };
    observeBody(
      response,
      bytes => {
        parts?.push(bytes);
        length += bytes.length;
        if (length >= MAX_LENGTH) inspect();
      },
      inspect,
    );
    return true;
  }

  #report(target: string): void {
    const path = nameOf(target);
    if (this.#found.has(path) || this.#found.size >= MAX_PATHS) return;
    this.#found.add(path);
    this.log.warn(
      this.paths === undefined
        ? logLine`POST ${path} answers MCP, and the option "mcp" is not set: its tool calls are neither checked nor recorded. Set mcp: { path: '${path}' }, or mcp: false if that is what you want.`
        : logLine`POST ${path} answers MCP, and mcp.path does not cover it: its tool calls are neither checked nor recorded. Add it to mcp.path.`,
    );
  }
}

/** An answer in JSON-RPC to a client that names its MCP revision, or the answer to `initialize`. */
function isMcp({ headers }: IncomingMessage, text: string): boolean {
  return (
    /"jsonrpc"\s*:\s*"2\.0"/.test(text) &&
    (headers['mcp-protocol-version'] !== undefined || /"protocolVersion"\s*:/.test(text))
  );
}

const nameOf = (target: string): string => requestPath(target).slice(0, MAX_PATH_LENGTH);
