/* One agent with an API key, the same for all servers of a bench. */
import { addKey, EMPTY_BOOK, KeyDigests } from '../../dist/index.js';

export const SECRET = 'a secret of benches that is long enough';

export function createAgent() {
  const { book, key } = addKey(EMPTY_BOOK, 'bench', { tools: ['*'] }, new KeyDigests([SECRET]), {
    prefix: 'ask',
    nowMs: Date.now(),
  });
  return { book, key };
}
