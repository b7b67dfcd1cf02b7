/* The dashboard over HTTP: who may read it, what it shows of requests, limits, tools and audit records, and what its actions do. */
import { Controller, Delete, Get } from '@nestjs/common';
import { type AgentSecurityOptions, AgentTool, Public, RateLimit, TIMERS } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { ManualTimers } from '../support/timers.js';

@Controller()
class Routes {
  @Get('hello')
  hello(): object {
    return {};
  }

  @Public()
  @RateLimit({ limit: '2/minute', name: 'open' })
  @Get('open')
  open(): object {
    return {};
  }

  @AgentTool('delete_note', { impact: 'high' })
  @Delete('notes/:id')
  remove(): object {
    return {};
  }
}

const keys = new TestKeys();
const ops = keys.add('operator', { scopes: ['ops'] }).key;
const admin = keys.add('admin', { scopes: ['ops', 'ops:act'] }).key;
const bot = keys.add('bot', { tools: ['*'] }).key;

const AUTH = { apiKeys: { store: keys.store, secret: SECRET } };

async function startDashboard(platform: any, options: AgentSecurityOptions = {}) {
  const timers = new ManualTimers();
  const running = await start(platform, {
    controllers: [Routes],
    options: { auth: AUTH, dashboard: { actionScopes: ['ops:act'] }, ...options },
    extras: { providers: [{ provide: TIMERS, useValue: timers }] },
  });
  return { ...running, timers };
}

const as = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });
const figures = async ({ send }: Pick<RunningApp, 'send'>) => (await send('/security/data', as(ops))).json();
const post = ({ send }: Pick<RunningApp, 'send'>, path: string, body: object, key = admin) =>
  send(path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

describe.each(PLATFORMS)('the dashboard on %s', (_title, platform) => {
  it('serves a page without data to everyone, under a policy that only its own script and style fit', async () => {
    const { send } = await startDashboard(platform);
    const page = await send('/security');
    expect([page.status, page.header('Content-Type')]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = page.header('Content-Security-Policy')!;
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+';/);
    expect(policy).not.toContain('unsafe');
    expect(page.header('Cache-Control')).toBe('no-store');
  });

  it('is not there unless it is set', async () => {
    const { send } = await startDashboard(platform, { dashboard: false });
    expect((await send('/security')).status).toBe(404);
  });

  it.each(['data', 'configuration', 'search', 'actions'])(
    '%s needs a credential and the scope',
    async name => {
      const { send } = await startDashboard(platform);
      const method = name === 'search' || name === 'actions' ? 'POST' : 'GET';
      const none = await send(`/security/${name}`, { method });
      expect([none.status, none.json().code]).toEqual([401, 'credential_missing']);
      expect(none.header('WWW-Authenticate')).toContain('Bearer');
      const wrong = await send(`/security/${name}`, { method, ...as(bot) });
      expect([wrong.status, wrong.json().code]).toEqual([403, 'insufficient_scope']);
    },
  );

  it('shows requests and rejections by code and limit, with the reason and the ID of each', async () => {
    const running = await startDashboard(platform);
    for (let count = 0; count < 4; count++) await running.send('/open');
    const last = await running.send('/hello', { headers: { 'X-Request-ID': 'lost-42' } });
    expect(last.status).toBe(401);
    const { minutes, rejections, clients, processes, sharing } = await figures(running);
    expect([processes, sharing]).toEqual([1, 'off']);
    expect(minutes).toEqual([
      {
        startMs: running.clock.epochMs(),
        requests: 6,
        rejections: 3,
        codes: expect.arrayContaining([
          ['rate_limited', 2],
          ['credential_missing', 1],
        ]),
        policies: [['open', 2]],
      },
    ]);
    expect(rejections.find((row: any) => row.requestId === 'lost-42')).toMatchObject({
      status: 401,
      code: 'credential_missing',
      address: '127.0.0.1',
      method: 'GET',
      path: '/hello',
    });
    expect(clients).toContainEqual(
      expect.objectContaining({ address: '127.0.0.1', policy: 'open', used: 2, limit: 2, isOver: true }),
    );
  });

  it('shows tools and audit records, and finds them by agent', async () => {
    const running = await startDashboard(platform);
    await running.send('/notes/1', { method: 'DELETE', ...as(bot) });
    await running.send('/notes/1', { method: 'DELETE' });
    const { tools, audit } = await figures(running);
    expect(tools).toEqual([{ tool: 'delete_note', impact: 'high', calls: 1, failures: 0, rejections: 0 }]);
    expect(audit[0]).toMatchObject({ event: 'finished', tool: 'delete_note', agent: 'bot', outcome: 'ok' });
    expect(audit[0].params).toBeUndefined();
    const found = (await post(running, '/security/search', { text: 'bot' })).json();
    expect(found.audit).toHaveLength(2);
    expect((await post(running, '/security/search', { text: 'nobody' })).json()).toEqual({
      rejections: [],
      audit: [],
    });
  });

  it('shows the configuration without secrets, with the findings of check', async () => {
    const running = await startDashboard(platform, { noStore: false });
    const answer = await running.send('/security/configuration', as(ops));
    const { options, findings, actions } = answer.json();
    expect(options).toContainEqual({ option: 'dashboard.path', value: '"/security"', source: 'default' });
    expect(findings[0]).toMatchObject({ id: 'ASEC-C017', remedy: expect.any(String) });
    expect(answer.body).not.toContain(SECRET);
    expect(actions).toEqual({ disableAgent: false, resetQuota: false });
  });
});
