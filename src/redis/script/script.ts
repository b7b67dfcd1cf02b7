/* What the scripts of counts share, and how a script is run. */
import type { ScriptRunner } from '../read-client.js';

/** As in sliding-window.ts. */
export const BATCHES = 14;
export const MAX_TICKS = 32_767;
/** The last moment that a key can hold, in tenths of seconds. */
export const MAX_LIVES = 2 ** 40 - 1;

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/**
 * Runs a script by its hash. A server that does not know the hash (it was restarted, flushed or replaced, or is another node of a
 * Cluster) gets the text once and keeps it.
 */
export function runScript(
  runner: ScriptRunner,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly string[],
): Promise<unknown> {
  return runner.evalsha(sha, keys, args).catch((error: unknown) => {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return runner.eval(text, keys, args);
  });
}
