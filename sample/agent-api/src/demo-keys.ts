import { randomBytes } from 'node:crypto';
import { addKey, type ApiKeysOptions, EMPTY_BOOK, KeyDigests } from 'nestjs-agent-security';

/**
 * Keys for trying the API, made anew at each start and known to this process alone. Where the environment names keys
 * (AUTH_KEYS_FILE or AUTH_API_KEYS), there are none.
 */
export class DemoKeys {
  /** `undefined` where the environment has the keys. */
  readonly key: string | undefined;
  /** The same for the dashboard. */
  readonly operatorKey: string | undefined;
  readonly options: ApiKeysOptions | undefined;

  constructor(env: (name: string) => string | undefined) {
    if (env('AUTH_KEYS_FILE') || env('AUTH_API_KEYS')) return;
    const secret = randomBytes(32).toString('base64');
    const digests = new KeyDigests([secret]);
    const choices = { prefix: 'ask', nowMs: Date.now() };
    const agent = { scopes: ['tools:run'], tools: ['*'] };
    const demo = addKey(EMPTY_BOOK, 'demo-agent', agent, digests, choices);
    const operator = addKey(demo.book, 'operator', { scopes: ['ops', 'ops:act'] }, digests, choices);
    this.key = demo.key;
    this.operatorKey = operator.key;
    this.options = { book: operator.book, secret };
  }
}
