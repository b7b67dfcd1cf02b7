/* The last requests of a scan: runs into the rate limit, and looks whether it holds. */
import { randomUUID } from 'node:crypto';
import type { Answer, AnswerFault } from './answer.js';
import type { Client, ScanRequest } from './client.js';
import type { LimitFacts } from './facts.js';
import { readLimit, readRetryAfter } from './read-limit.js';

/** A limit above it is not tried out. */
const MAX_BURST = 150;
const SILENT: readonly (AnswerFault | undefined)[] = ['no connection', 'no answer in time', 'not sent'];

/** @param page the answer to an ordinary request, which may tell how many are left */
export async function probeLimits(client: Client, path: string, page: Answer): Promise<LimitFacts> {
  const request: ScanRequest = { target: path };
  const { left } = readLimit(page);
  const none = { limited: undefined, forged: undefined, randomKey: undefined, retried: undefined };
  if (left !== undefined && left > MAX_BURST) return { sent: 0, ...none };
  for (let sent = 1; sent <= MAX_BURST; sent++) {
    const answer = await client.send(request);
    if (SILENT.includes(answer.fault)) return { sent: sent - 1, ...none };
    if (answer.status === 429) return { sent, ...(await probeLimited(client, request, answer)) };
  }
  return { sent: MAX_BURST, ...none };
}

async function probeLimited(
  client: Client,
  request: ScanRequest,
  limited: Answer,
): Promise<Omit<LimitFacts, 'sent'>> {
  // Whether it is still in force: a limit for each second may have passed by itself.
  const withHeader = async (name: string, value: string): Promise<Answer | undefined> => {
    const answer = await client.send({ ...request, headers: [[name, value]] });
    return answer.status === 429 || (await client.send(request)).status === 429 ? answer : undefined;
  };
  const forged = await withHeader('X-Forwarded-For', '203.0.113.77');
  const randomKey = await withHeader('X-API-Key', randomUUID());
  const ms = readRetryAfter(limited, client.clock.now());
  const isTooLong = ms === undefined || ms <= 0 || !(await client.waitFor(ms));
  return { limited, forged, randomKey, retried: isTooLong ? undefined : await client.send(request) };
}
