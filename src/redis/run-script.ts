/* One call of the script, wherever the server lost it. */
import { QUOTA_SCRIPT, QUOTA_SCRIPT_SHA } from './quota-script.js';
import type { ScriptRunner } from './redis-client.js';

/**
 * Runs the script by its hash. A server that does not know it (it was restarted, flushed or replaced; in a Cluster, another node) is sent the
 * text once, which it keeps.
 */
export async function runScript(runner: ScriptRunner, keys: string[], args: string[]): Promise<unknown> {
  try {
    return await runner.evalsha(QUOTA_SCRIPT_SHA, keys, args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return runner.eval(QUOTA_SCRIPT, keys, args);
  }
}
