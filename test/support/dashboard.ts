/* Apps with a dashboard, their agents, and clients of its event stream. */
import { type AgentSecurityOptions, type SecurityEvent, TIMERS } from '../../src/index.js';
import { DashboardRoutes } from './dashboard-routes.js';
import { NOW_MS, SECRET, TestKeys } from './keys.js';
import type { Platform } from './platforms.js';
import { type AppParts, type RunningApp, start } from './start.js';
import { ManualTimers } from './timers.js';

export const keys = new TestKeys();
export const ops = keys.add('operator', { scopes: ['ops'] }).key;
export const admin = keys.add('admin', { scopes: ['ops', 'ops:act'] }).key;
export const bot = keys.add('bot', { tools: ['*'] }).key;

export type RunningDashboard = RunningApp & { readonly timers: ManualTimers };

export async function startDashboard(
  platform: Platform,
  options: AgentSecurityOptions = {},
  parts: AppParts = {},
): Promise<RunningDashboard> {
  const timers = new ManualTimers();
  const running = await start(platform, {
    controllers: [DashboardRoutes],
    options: {
      auth: { apiKeys: { store: keys.store, secret: SECRET } },
      dashboard: { actionScopes: ['ops:act'] },
      ...options,
    },
    extras: { providers: [{ provide: TIMERS, useValue: timers }] },
    ...parts,
  });
  return { ...running, timers };
}

export const as = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

type Sender = Pick<RunningApp, 'send'>;
export const figures = async ({ send }: Sender) => (await send('/security/data', as(ops))).json();
export const post = ({ send }: Sender, path: string, body: object, key = admin) =>
  send(path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

export const REJECTED: SecurityEvent<'request.rejected'> = {
  type: 'request.rejected',
  timeMs: NOW_MS,
  status: 404,
  code: 'not_found',
  reason: undefined,
  received: undefined,
  remedy: undefined,
};

/** An open event stream. `next()` is the next event; `events` counts them, comments left out. */
export async function openStream(port: number, headers: Record<string, string> = as(ops).headers) {
  const controller = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}/security/data`, {
    headers: { ...headers, Accept: 'text/event-stream' },
    signal: controller.signal,
  });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  const found: any[] = [];
  let events = 0;
  let wake = (): void => undefined;
  const read = async (): Promise<void> => {
    let rest = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split('\n\n');
      rest = parts.pop()!;
      for (const part of parts.filter(each => each.startsWith('data: '))) {
        events++;
        found.push(JSON.parse(part.slice(6)));
      }
      wake();
    }
  };
  const ended = read().then(
    () => 'ended',
    () => 'ended',
  );
  return {
    ended,
    get events() {
      return events;
    },
    next: async (): Promise<any> => {
      while (found.length === 0) await new Promise<void>(resolve => (wake = resolve));
      return found.shift();
    },
    close: () => controller.abort(),
  };
}
