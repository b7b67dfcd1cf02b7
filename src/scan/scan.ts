/* Sends every probe of a scan and collects what the rules read. */
import { type Answer, valueOf } from './answer.js';
import { Client, type ScanBounds, type ScanClock, type ScanRequest } from './client.js';
import type { ScanFacts } from './facts.js';
import { readCookies } from './headers/cookies.js';
import { scoreHeaders } from './headers/score-headers.js';
import { probeLimits } from './probe-limits.js';
import { ATTACKER_ORIGIN, listMcpProbes, listOldMcpProbes, listProbes, type ProbeName } from './probes.js';
import { findTargets, ScanError, type Target } from './target.js';

export interface ScanPlan {
  readonly url: URL;
  /** Whether hosts beyond this machine may be scanned. */
  readonly isOwned: boolean;
  /** The path of an MCP endpoint. */
  readonly mcp: string | undefined;
}

export interface ScanTools {
  readonly bounds: ScanBounds;
  readonly clock: ScanClock;
  /** A certificate authority beside those that Node.js trusts. */
  readonly ca?: string;
}

export interface Observed {
  readonly facts: ScanFacts;
  /** The score where a proxy adds TLS. */
  readonly behindTls: ScanFacts['headers'];
  readonly notes: readonly string[];
  /** Whether requests were left out, so that a report without findings proves nothing. */
  readonly isCut: boolean;
  readonly hasMcp: boolean;
}

const MAX_REDIRECTS = 3;

/** @throws {ScanError} where the server cannot be scanned at all */
export async function observe(plan: ScanPlan, tools: ScanTools): Promise<Observed> {
  const notes: string[] = [];
  const { client, plain } = await openPage(plan, tools, notes);
  const { target } = client;
  const answers = new Map<ProbeName, Answer>();
  const send = async (requests: Readonly<Record<string, ScanRequest>>): Promise<void> => {
    for (const [name, request] of Object.entries(requests))
      answers.set(name as ProbeName, await client.sendPaced(request));
  };
  await send(listProbes(target));
  if (plan.mcp !== undefined) {
    await send(listMcpProbes(plan.mcp));
    if (answers.get('mcp')?.status === 400) {
      await send(listOldMcpProbes(plan.mcp));
      for (const name of ['mcpVersion', 'mcpMismatch'] as const) answers.delete(name);
      notes.push('The MCP endpoint does not speak 2026-07-28: it was asked in an older version.');
    }
  }
  const page = answers.get('page')!;
  if (page.status === 0) throw new ScanError(`${target.origin} stopped answering: ${page.fault}.`);
  const mcp = answers.get('mcp');
  const hasMcp = mcp !== undefined && isMcp(mcp);
  if (mcp !== undefined && !hasMcp)
    notes.push(`The path of --mcp answers ${mcp.status} and no message of MCP: it was not tested.`);
  const limits = await probeLimits(client, target.path, page);
  const asked = {
    isTls: target.isTls,
    isVerified: client.isVerified,
    hostname: target.hostname,
    page,
    others: [answers.get('robots')!],
    preflight: answers.get('preflight')!,
    origin: ATTACKER_ORIGIN,
    plain: target.isTls ? (plain ?? (await findPlain(target, tools))) : 'none',
  };
  notes.push(...describe(client, answers, page));
  return {
    facts: {
      target,
      isVerified: client.isVerified,
      answers,
      headers: scoreHeaders(asked),
      cookies: readCookies([page, ...asked.others, answers.get('missing')!]),
      limits,
      nowMs: tools.clock.now(),
    },
    behindTls: scoreHeaders(asked, true),
    notes,
    isCut: client.isOver || (mcp !== undefined && !hasMcp),
    hasMcp,
  };
}

/** Of what rejects everybody or is not reached, it is not known. */
const isMcp = ({ status, headers, body }: Answer): boolean =>
  [0, 401, 403, 421, 429].includes(status) ||
  body.includes('"jsonrpc"') ||
  headers.some(([name, value]) => name === 'content-type' && /^text\/event-stream/i.test(value));

/** Finds the page, by redirects of the same host only. @returns where plain HTTP led to TLS, if it did */
async function openPage(
  { url, isOwned }: ScanPlan,
  tools: ScanTools,
  notes: string[],
): Promise<{ readonly client: Client; readonly plain: string | undefined }> {
  let at = url;
  let plain: string | undefined;
  for (let redirects = 0; ; redirects++) {
    const { client, answer } = await connect(await findTargets(at, isOwned), tools);
    if (answer.status === 0) throw new ScanError(`${at.origin} cannot be scanned: ${answer.fault}.`);
    const location = valueOf(answer, 'location');
    if (answer.status < 300 || answer.status > 399 || !URL.canParse(location, at.href))
      return { client, plain };
    const next = new URL(location, at);
    const isUpgrade = at.protocol === 'http:' && next.protocol === 'https:';
    if (
      redirects >= MAX_REDIRECTS ||
      next.hostname !== at.hostname ||
      (next.port !== at.port && !isUpgrade)
    ) {
      notes.push(`The redirect to ${next.origin} was not followed.`);
      return { client, plain };
    }
    if (isUpgrade) plain = next.href;
    at = next;
  }
}

/** Asks the addresses of a name until one is connected. */
async function connect(
  [target, ...others]: readonly Target[],
  tools: ScanTools,
): Promise<{ readonly client: Client; readonly answer: Answer }> {
  const client = new Client(target!, tools.bounds, tools.clock, tools.ca);
  const answer = await client.send({ target: client.target.path });
  return answer.fault === 'no connection' && others.length > 0 ? connect(others, tools) : { client, answer };
}

/** Beside the port of HTTPS, the port of HTTP. Of another port nobody knows which port belongs to it. */
async function findPlain(target: Target, { bounds, clock }: ScanTools): Promise<string | undefined> {
  if (target.port !== 443) return undefined;
  const client = new Client({ ...target, isTls: false, port: 80 }, bounds, clock);
  const answer = await client.send({ target: target.path });
  if (answer.status === 0) return undefined;
  const location = valueOf(answer, 'location');
  const base = `http://${target.authority}`;
  const isRedirect = answer.status > 299 && answer.status < 400 && URL.canParse(location, base);
  return isRedirect ? new URL(location, base).href : 'none';
}

function describe(client: Client, answers: ReadonlyMap<ProbeName, Answer>, page: Answer): readonly string[] {
  const { target, sent } = client;
  const all = [...answers.values()];
  const limited = all.filter(({ status }) => status === 429).length;
  const missing = all.filter(({ fault }) => fault === 'not sent').length;
  return [
    ...(page.status >= 400
      ? [`${target.shownPath} answers ${page.status}: scan a path that answers 200.`]
      : []),
    ...(target.isTls || !target.isLoopback
      ? []
      : ['Plain HTTP: TLS, its redirect and HSTS cannot be tested here.']),
    ...(limited > 0 ? [`${limited} of ${sent} requests got 429, so that what they test is not known.`] : []),
    ...(missing > 0 ? [`The server stopped answering: ${missing} requests were not sent.`] : []),
  ];
}
