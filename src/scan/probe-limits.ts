/* The last requests of a scan: runs into the rate limit, and looks whether it holds. */
import { randomUUID } from 'node:crypto';
import type { Answer } from './answer.js';
import type { Client, ScanRequest } from './client.js';
import type { LimitFacts } from './facts.js';
import { readLimit, readRetryAfter } from './read-limit.js';

const FORGED = '203.0.113.77';
/** A limit above it is not tried out. */
const MAX_BURST = 150;
/** What servers and their limits take an address from, where they trust every sender. */
const ADDRESS_HEADERS = ['X-Forwarded-For', 'X-Real-IP', 'CF-Connecting-IP', 'True-Client-IP'].map(
  name => [name, FORGED] as const,
);

/** @param page the answer to an ordinary request, which may tell how many are left */
export async function probeLimits(client: Client, path: string, page: Answer): Promise<LimitFacts> {
  const request: ScanRequest = { target: path };
  const { left } = readLimit(page);
  const none = { sent: 0, limited: undefined, forged: undefined, randomKey: undefined, retried: undefined };
  if (left !== undefined && left > MAX_BURST) return none;
  for (let sent = 1; sent <= MAX_BURST; sent++) {
    const answer = await client.send(request);
    if (answer.status === 429) return { sent, ...(await probeLimited(client, request, answer)) };
    // A limit can close the connection, or answer 503.
    if (answer.status !== page.status) return none;
  }
  return { ...none, sent: MAX_BURST };
}

async function probeLimited(
  client: Client,
  request: ScanRequest,
  limited: Answer,
): Promise<Omit<LimitFacts, 'sent'>> {
  // Whether it is still in force: a limit for each second may have passed by itself.
  const withHeaders = async (headers: ScanRequest['headers'] = []): Promise<Answer | undefined> => {
    const answer = await client.send({ ...request, headers });
    return answer.status === 429 || (await client.send(request)).status === 429 ? answer : undefined;
  };
  const forged = await withHeaders([...ADDRESS_HEADERS, ['Forwarded', `for=${FORGED}`]]);
  const key = await withHeaders([['X-API-Key', randomUUID()]]);
  const token = await withHeaders([['Authorization', `Bearer ${randomUUID()}`]]);
  const randomKey = key !== undefined && key.status < 400 ? key : token;
  const ms = readRetryAfter(limited, client.clock.now());
  const isTooLong = ms === undefined || ms <= 0 || !(await client.waitFor(ms));
  return { limited, forged, randomKey, retried: isTooLong ? undefined : await client.send(request) };
}
