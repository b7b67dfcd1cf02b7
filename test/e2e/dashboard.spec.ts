/* The dashboard over HTTP: who may read it, what it shows of requests, limits, tools and audit records, and what its actions do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type QuotaStore, revokeKey, SecurityEvents } from '../../src/index.js';
import {
  admin,
  as,
  bot,
  figures,
  keys,
  openStream,
  ops,
  post,
  REJECTED,
  startDashboard,
} from '../support/dashboard.js';
import { NOW_MS, SECRET } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';

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

  it('passes the checks before routing, and has a limit of its own', async () => {
    const { send } = await startDashboard(platform, { rateLimit: { flood: false } });
    expect((await send('/security', { headers: { Host: 'evil.example' } })).status).toBe(421);
    const statuses = new Set<number>();
    for (let count = 0; count < 120; count++)
      statuses.add((await send('/security', { method: 'HEAD' })).status);
    expect([...statuses]).toEqual([200]);
    const over = await send('/security/data', as(ops));
    expect([over.status, over.json()['violated-policies']]).toEqual([429, ['dashboard']]);
    expect(over.header('Retry-After')).toBe('60');
  });

  it.each([
    ['POST', '/security', 'GET, HEAD'],
    ['GET', '/security/search', 'POST'],
  ])('%s %s is not allowed', async (method, path, allow) => {
    const { send } = await startDashboard(platform);
    const answer = await send(path, { method, ...as(ops) });
    expect([answer.status, answer.header('Allow')]).toEqual([405, allow]);
  });

  it('streams one event a second, however much happens, and nothing where nothing does', async () => {
    const { app, port, timers } = await startDashboard(platform);
    const stream = await openStream(port);
    expect(await stream.next()).toMatchObject({ processes: 1 });
    const emit = (): void => {
      for (let count = 0; count < 10_000; count++)
        app.get(SecurityEvents).emit({ ...REJECTED, requestId: `r-${count}` });
    };
    emit();
    timers.advance(1_000);
    expect((await stream.next()).minutes[0].rejections).toBe(10_000);
    for (let second = 0; second < 14; second++) timers.advance(1_000);
    emit();
    timers.advance(1_000);
    expect((await stream.next()).minutes[0].rejections).toBe(20_000);
    expect(stream.events).toBe(3);
    stream.close();
  });

  it('ends the stream of a key that is revoked', async () => {
    const revocable = keys.add('leaving', { scopes: ['ops'] });
    const { port } = await startDashboard(platform);
    const stream = await openStream(port, as(revocable.key).headers);
    await stream.next();
    keys.set(revokeKey(keys.book, revocable.id, NOW_MS));
    expect(await stream.ended).toBe('ended');
  });

  it('serves twenty streams at a time', async () => {
    const { port, send } = await startDashboard(platform);
    const streams = [];
    for (let count = 0; count < 20; count++) streams.push(await openStream(port));
    const headers = { Authorization: `Bearer ${ops}`, Accept: 'text/event-stream' };
    expect((await send('/security/data', { headers })).status).toBe(429);
    expect((await send('/security/data', as(ops))).status).toBe(200);
    for (const stream of streams) stream.close();
  });

  it('closes at once with a stream open', async () => {
    const { app, port } = await startDashboard(platform);
    const stream = await openStream(port);
    await app.close();
    expect(await stream.ended).toBe('ended');
  });

  describe('actions', () => {
    it('need their own scope, which no agent has without the option', async () => {
      const running = await startDashboard(platform, { dashboard: true });
      const answer = await post(running, '/security/actions', { action: 'reset-quota', agent: 'bot' });
      expect([answer.status, answer.json().code]).toEqual([403, 'insufficient_scope']);
      const other = await startDashboard(platform);
      const denied = await post(other, '/security/actions', { action: 'reset-quota', agent: 'bot' }, ops);
      expect([denied.status, denied.json().required_scopes]).toEqual([403, ['ops:act']]);
    });

    it('reset the quotas of an agent, and of an address, in the module and on routes', async () => {
      const running = await startDashboard(platform, { rateLimit: { limits: '2/minute' } });
      const statuses = async (path: string, headers: Record<string, string> = {}) => {
        const found: number[] = [];
        for (let count = 0; count < 3; count++) found.push((await running.send(path, { headers })).status);
        return found;
      };
      expect(await statuses('/hello', { 'X-API-Key': bot })).toEqual([200, 200, 429]);
      expect(await statuses('/open')).toEqual([200, 200, 429]);
      expect((await post(running, '/security/actions', { action: 'reset-quota', agent: 'bot' })).status).toBe(
        204,
      );
      expect(await statuses('/hello', { 'X-API-Key': bot })).toEqual([200, 200, 429]);
      expect((await running.send('/open')).status).toBe(429);
      const reset = { action: 'reset-quota', address: '127.0.0.1' };
      expect((await post(running, '/security/actions', reset)).status).toBe(204);
      expect(await statuses('/open')).toEqual([200, 200, 429]);
      const { audit } = await figures(running);
      expect(audit[0]).toMatchObject({
        event: 'finished',
        tool: 'dashboard:reset-quota',
        agent: 'admin',
        outcome: 'ok',
      });
    });

    it('disable an agent in the file of keys, with an audit record', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
      const file = join(folder, 'keys.json');
      writeFileSync(file, JSON.stringify(keys.book), { mode: 0o600 });
      const running = await startDashboard(platform, { auth: { apiKeys: { file, secret: SECRET } } });
      expect((await running.send('/hello', as(bot))).status).toBe(200);
      const act = (agent: string) => post(running, '/security/actions', { action: 'disable-agent', agent });
      expect((await act('nobody')).json().code).toBe('not_found');
      expect((await act('admin')).json().detail).toContain('signed in');
      expect((await act('bot')).status).toBe(204);
      expect((await running.send('/hello', as(bot))).status).toBe(401);
      const { audit } = await figures(running);
      expect(audit[0]).toMatchObject({
        tool: 'dashboard:disable-agent',
        impact: 'high',
        agent: 'admin',
        outcome: 'ok',
      });
      rmSync(folder, { recursive: true });
    });

    it.each([
      ['another content type', { 'Content-Type': 'text/plain' }, 415],
      ['a page of another site', { 'Content-Type': 'application/json', Origin: 'https://evil.example' }, 403],
    ])('are rejected from %s', async (_what, headers, status) => {
      const { send } = await startDashboard(platform);
      const body = JSON.stringify({ action: 'reset-quota', agent: 'bot' });
      const all = { Authorization: `Bearer ${admin}`, ...headers };
      expect((await send('/security/actions', { method: 'POST', headers: all, body })).status).toBe(status);
    });

    it('need a credential that no browser adds by itself', async () => {
      const identify = (): object => ({ id: 'by-cookie', scopes: ['ops', 'ops:act'] });
      const { send } = await startDashboard(platform, { auth: { identify } as never });
      const options = {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: 'Basic eDp5' },
        body: '{}',
      };
      expect((await send('/security/data')).status).toBe(200);
      expect((await send('/security/actions', options)).status).toBe(401);
    });

    it.each([
      ['no JSON', '{'],
      ['no action', '{"action":"delete","agent":"bot"}'],
      ['two targets', '{"action":"reset-quota","agent":"bot","address":"127.0.0.1"}'],
      ['no target', '{"action":"reset-quota"}'],
      ['a list', '[]'],
    ])('are rejected with %s', async (_what, body) => {
      const { send } = await startDashboard(platform);
      const headers = { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' };
      expect((await send('/security/actions', { method: 'POST', headers, body })).status).toBe(400);
    });
  });

  describe('with a store that processes share', () => {
    const share = (texts: Map<string, string>, state: { dead?: boolean } = {}): QuotaStore => ({
      consume: async charges => {
        if (state.dead) throw new Error('gone');
        return {
          granted: true,
          policyStates: charges.flatMap(({ policies }) =>
            policies.map(policy => ({ policy, remaining: 1, resetMs: 0, violated: false })),
          ),
        };
      },
      share: async (_topic, name, text) => {
        if (state.dead) throw new Error('gone');
        texts.set(name, text);
        return [...texts.values(), 'no JSON'];
      },
    });

    it('shows the figures of all processes', async () => {
      const texts = new Map<string, string>();
      const options = { rateLimit: { store: share(texts) } };
      const [first, second] = [
        await startDashboard(platform, options),
        await startDashboard(platform, options),
      ];
      await second.send('/hello', { headers: { 'X-Request-ID': 'elsewhere' } });
      for (const { timers } of [second, first]) timers.advance(10_000);
      // The answer of the store.
      await first.send('/security');
      const { processes, sharing, rejections, minutes } = await figures(first);
      expect([processes, sharing]).toEqual([2, 'on']);
      expect(rejections).toContainEqual(expect.objectContaining({ requestId: 'elsewhere' }));
      expect(minutes[0].requests).toBe(3);
    });

    it('shows its own figures while the store is dead', async () => {
      const state = { dead: true };
      const running = await startDashboard(platform, { rateLimit: { store: share(new Map(), state) } });
      running.timers.advance(10_000);
      await running.send('/hello');
      const { sharing, minutes, health } = await figures(running);
      expect([sharing, minutes[0].rejections]).toEqual(['failing', 1]);
      expect(health[0]).toMatchObject({
        name: 'Store of limits',
        state: 'failing',
        detail: expect.stringContaining('gone'),
      });
    });
  });
});
