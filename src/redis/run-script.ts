/* Runs the script of rate limits, also on a server that does not have it yet. */
import { QUOTA_SCRIPT, QUOTA_SCRIPT_SHA } from './script/quota-script.js';
import type { ScriptRunner } from './redis-client.js';

/**
 * Runs the script by its hash. A server that does not know the hash (it was restarted, flushed or replaced, or is another node of a
 * Cluster) gets the text once and keeps it.
 */
export async function runScript(runner: ScriptRunner, keys: string[], args: string[]): Promise<unknown> {
  try {
    return await runner.evalsha(QUOTA_SCRIPT_SHA, keys, args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return runner.eval(QUOTA_SCRIPT, keys, args);
  }
}
