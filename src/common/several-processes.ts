/* Whether other processes of this app run beside this one, as far as the environment says so. */
import cluster from 'node:cluster';

const isSeveral = (count: string | undefined): boolean => /^\d+$/.test(count ?? '') && Number(count) > 1;

/** @returns what says so; `undefined` for a process that seems to be alone */
export function findOtherProcesses(
  env: Readonly<Record<string, string | undefined>>,
  isWorker = cluster.isWorker,
): string | undefined {
  if (isWorker) return 'this process is a worker of node:cluster';
  if (isSeveral(env['WEB_CONCURRENCY'])) return 'WEB_CONCURRENCY asks for several processes';
  // Set by pm2, which starts the processes of the mode "fork" without node:cluster.
  if (env['pm_id'] !== undefined && isSeveral(env['instances'])) return 'pm2 runs several instances';
  return undefined;
}
