import { randomBytes } from 'node:crypto';
import { addKey, type ApiKeysOptions, EMPTY_BOOK, KeyDigests } from 'nestjs-agent-security';

/**
 * A key for trying the API, made anew at each start and known to this process alone. Where the environment names keys
 * (AUTH_KEYS_FILE or AUTH_API_KEYS), there is none.
 */
export class DemoKeys {
  /** `undefined` where the environment has the keys. */
  readonly key: string | undefined;
  readonly options: ApiKeysOptions | undefined;

  constructor(env: (name: string) => string | undefined) {
    if (env('AUTH_KEYS_FILE') || env('AUTH_API_KEYS')) return;
    const secret = randomBytes(32).toString('base64');
    const { book, key } = addKey(
      EMPTY_BOOK,
      'demo-agent',
      { scopes: ['tools:run'], tools: ['*'] },
      new KeyDigests([secret]),
      { prefix: 'ask', nowMs: Date.now() },
    );
    this.key = key;
    this.options = { book, secret };
  }
}
