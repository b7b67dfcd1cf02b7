/* The revisions that the server behind an MCP endpoint supports, learned from its responses. A rejection of another revision names them, so
 * that the client chooses one that the server accepts (MCP 2026-07-28, "Protocol Version Negotiation"). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BoundedMap } from '../common/bounded-map.js';
import { requestPath } from '../common/http-request.js';
import { isRecord } from '../common/read-options.js';
import { UNSUPPORTED_VERSION } from './check-protocol.js';
import type { McpMessage } from './read-messages.js';
import { messagesOf } from './response-messages.js';
import { isEventStream, observeBody } from './shape-response.js';

/** The endpoints that are remembered: a path may have a parameter. */
const MAX_ENDPOINTS = 1_000;
const MAX_PATH_LENGTH = 512;
/** The bytes of a response that are inspected. */
const MAX_LENGTH = 65_536;

export class ServerRevisions {
  readonly #known = new BoundedMap<string, readonly string[]>(MAX_ENDPOINTS);

  /** @param versions the revisions that are let through to the server: no other is named */
  supportedAt(target: string, versions: ReadonlySet<string>): readonly string[] {
    const supported = (this.#known.get(requestPath(target)) ?? []).filter(version => versions.has(version));
    return supported.length === 0 ? [...versions] : supported;
  }

  /** Reads the revisions from the response, unless they are known. */
  learn(raw: IncomingMessage, response: ServerResponse, messages: readonly McpMessage[]): void {
    const path = requestPath(raw.url ?? '');
    if (path.length > MAX_PATH_LENGTH || this.#known.get(path) !== undefined) return;
    const isDiscovery = messages.length === 1 && messages[0]!.method === 'server/discover';
    const parts: Buffer[] = [];
    let length = 0;
    const keeps = (): boolean => length <= MAX_LENGTH && (isDiscovery || response.statusCode === 400);
    observeBody(
      response,
      bytes => {
        length += bytes.length;
        if (keeps()) parts.push(bytes);
      },
      () => {
        if (!keeps()) return;
        const text = Buffer.concat(parts).toString('utf8');
        for (const message of messagesOf(text, isEventStream(response))) {
          const versions = readVersions(message, isDiscovery);
          if (versions.length > 0) this.#known.set(path, versions);
        }
      },
    );
  }
}

/** Of the result of `server/discover`, or of the error for a revision that is not supported. */
function readVersions(
  { result, error }: Readonly<Record<string, unknown>>,
  isDiscovery: boolean,
): readonly string[] {
  const data = isRecord(error) && error['code'] === UNSUPPORTED_VERSION ? error['data'] : undefined;
  const versions = isRecord(data)
    ? data['supported']
    : isDiscovery && isRecord(result)
      ? result['supportedVersions']
      : undefined;
  return Array.isArray(versions) ? versions.filter(version => typeof version === 'string') : [];
}
