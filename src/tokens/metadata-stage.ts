/* Serves the metadata documents (RFC 8414, RFC 9728), which are serialized at start-up, and the public keys (RFC 7517). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../common/clock.js';
import { requestPath } from '../common/http-request.js';
import { sendJson } from './send-json.js';
import { publicKeySet } from './signing-keys.js';
import type { TokenIssuer } from './token-issuer.js';

export class MetadataStage {
  readonly #documents: ReadonlyMap<string, Buffer>;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(
    documents: ReadonlyMap<string, unknown>,
    maxAgeMs: number,
    private readonly keys: { readonly path: string; readonly issuer: TokenIssuer } | undefined,
    private readonly clock: Clock,
  ) {
    this.#documents = new Map(
      [...documents].map(([path, document]) => [path, Buffer.from(JSON.stringify(document))]),
    );
    this.#headers = { 'Cache-Control': `public, max-age=${Math.floor(maxAgeMs / 1_000)}` };
  }

  claims(raw: IncomingMessage): boolean {
    const path = requestPath(raw.url ?? '');
    return this.#documents.has(path) || path === this.keys?.path;
  }

  async run(raw: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (raw.method !== 'GET' && raw.method !== 'HEAD') {
      const error = { error: 'invalid_request', error_description: 'The method is GET.' };
      sendJson(raw, response, 405, { Allow: 'GET, HEAD' }, error);
      return false;
    }
    const document = this.#documents.get(requestPath(raw.url ?? ''));
    const body = document ?? Buffer.from(JSON.stringify(await this.#publicKeys()));
    response.writeHead(200, {
      // RFC 7517 section 8.5.
      'Content-Type': document === undefined ? 'application/jwk-set+json' : 'application/json',
      'Content-Length': body.length,
      ...this.#headers,
    });
    response.end(raw.method === 'HEAD' ? undefined : body);
    return false;
  }

  async #publicKeys(): Promise<unknown> {
    const { keys } = this.keys!.issuer;
    await keys.refresh(this.clock.monotonicMs());
    return publicKeySet(keys.keys, this.clock.epochMs());
  }
}
