/* Attacks on the dashboard over HTTP: by strangers, by agents that have lost their access, by a store with hostile entries, by time. */
import { connect as connectHttp2 } from 'node:http2';
import type { Duplex } from 'node:stream';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type ApiKeyStore, type QuotaStore, SecurityEvents } from '../../src/index.js';
import {
  admin,
  as,
  figures,
  keys,
  openStream,
  ops,
  post,
  REJECTED,
  startDashboard,
} from '../support/dashboard.js';
import { SECRET } from '../support/keys.js';
import { FASTIFY, PLATFORMS } from '../support/platforms.js';

const STREAM = { Accept: 'text/event-stream' };

const SPELLINGS = [
  '/security/data/',
  '/security//data',
  '//security/data',
  '/Security/data',
  '/security/Data',
  '/security%2fdata',
  '/%73ecurity/data',
  '/security/./data',
  '/security/x/../data',
  '/security/data.',
  '/security/data%00',
  '/security/data;x=1',
  '/security\\data',
  '/api/security/data',
  '/v1/security/data',
  'http://127.0.0.1/security/data',
  '/security/data?access_token=x&key=x',
  '/security/configuration#x',
];

/** A store that answers as a test says. */
const createStore = (parts: { texts?: () => readonly string[]; isDead?: () => boolean }): QuotaStore => {
  const fail = async (): Promise<never> => Promise.reject(new Error('gone'));
  return {
    consume: async charges => {
      if (parts.isDead?.()) return fail();
      return {
        granted: true,
        policyStates: charges.flatMap(({ policies }) =>
          policies.map(policy => ({ policy, remaining: 1, resetMs: 0, violated: false })),
        ),
      };
    },
    reset: async () => (parts.isDead?.() ? fail() : undefined),
    ...(parts.texts && { share: async () => parts.texts!() }),
  };
};

describe.each(PLATFORMS)('the dashboard under attack on %s', (_title, platform) => {
  it('shows nothing to a stranger, however the path is written', async () => {
    const { send } = await startDashboard(
      platform,
      {
        hosts: { exemptPaths: ['/security/data'] },
        rateLimit: { exemptPaths: ['/security/data'], flood: false },
      },
      { configure: app => void app.setGlobalPrefix('api') },
    );
    for (const path of SPELLINGS)
      for (const method of ['GET', 'POST', 'HEAD'])
        for (const headers of [{}, { 'X-HTTP-Method-Override': 'GET', ...STREAM }]) {
          const { status, body } = await send(path, { method, headers });
          expect([path, status >= 400, /minutes|options/.test(body)]).toEqual([path, true, false]);
        }
  });

  it('ends the stream of an agent that has lost the scope', async () => {
    const { id, key } = keys.add('demoted', { scopes: ['ops'] });
    const { port, timers } = await startDashboard(platform);
    const stream = await openStream(port, as(key).headers);
    await stream.next();
    keys.set({ ...keys.book, agents: { ...keys.book.agents, demoted: { scopes: [] } } });
    timers.advance(1_000);
    expect(await stream.ended).toBe('ended');
    expect(id).toBeDefined();
  });

  it('ends the stream of an agent that the app no longer identifies', async () => {
    let isSignedIn = true;
    const identify = (): object | undefined =>
      isSignedIn ? { id: 'by-cookie', scopes: ['ops'] } : undefined;
    const { port, timers, clock } = await startDashboard(platform, { auth: { identify } as never });
    const stream = await openStream(port, { Cookie: 'session=1' });
    await stream.next();
    isSignedIn = false;
    clock.advance(60_000);
    timers.advance(1_000);
    expect(await stream.ended).toBe('ended');
  });

  it('answers HEAD at once, and opens no stream for it', async () => {
    const { send } = await startDashboard(platform);
    for (let count = 0; count < 21; count++) {
      const answer = await send('/security/data', {
        method: 'HEAD',
        headers: { ...as(ops).headers, ...STREAM },
      });
      expect([answer.status, answer.body]).toEqual([200, '']);
    }
  });

  it('forbids caches to keep what it answers, also where the app allows them', async () => {
    const { send } = await startDashboard(platform, { noStore: false });
    for (const path of ['/security', '/security/data', '/security/configuration'])
      expect([path, (await send(path, as(ops))).header('Cache-Control')]).toEqual([path, 'no-store']);
  });

  it('answers while the store of limits is dead, also where requests are denied then', async () => {
    const store = createStore({ isDead: () => true });
    const running = await startDashboard(platform, {
      rateLimit: { store, onStoreError: 'deny', flood: false },
    });
    expect((await running.send('/security')).status).toBe(200);
    const { health } = await figures(running);
    expect(health[0]).toMatchObject({ name: 'Store of limits', state: 'failing' });
  });

  it('shows a key store that fails while nobody uses a key, and that it has recovered', async () => {
    let isDown = true;
    const find = async (): Promise<undefined> => (isDown ? Promise.reject(new Error('gone')) : undefined);
    const identify = (): object => ({ id: 'by-cookie', scopes: ['ops'] });
    const running = await startDashboard(platform, {
      auth: { apiKeys: { store: { find }, secret: SECRET }, identify } as never,
    });
    const stateOf = ({ health }: any): string => health.find(({ name }: any) => name === 'API keys').state;
    const stream = await openStream(running.port, {});
    expect(stateOf(await stream.next())).toBe('failing');
    isDown = false;
    expect(stateOf((await running.send('/security/data')).json())).toBe('ok');
    running.timers.advance(1_000);
    expect(stateOf(await stream.next())).toBe('ok');
    stream.close();
  });

  it('does not say that a quota is reset which the store still has', async () => {
    let isDead = false;
    const running = await startDashboard(platform, {
      rateLimit: { store: createStore({ isDead: () => isDead }) },
    });
    isDead = true;
    const answer = await post(running, '/security/actions', { action: 'reset-quota', agent: 'bot' });
    expect([answer.status, answer.json().code]).toEqual([503, 'limits_unavailable']);
    const { audit } = await figures(running);
    expect(audit[0]).toMatchObject({ tool: 'dashboard:reset-quota', agent: 'admin', outcome: 'failed' });
  });

  it('resets nothing for what is no address', async () => {
    const running = await startDashboard(platform);
    for (const address of ['nonsense', '', '127.0.0.1, 10.0.0.1', '127.1', '0/0', 'localhost', 7, null]) {
      const answer = await post(running, '/security/actions', { action: 'reset-quota', address });
      expect([address, answer.status]).toEqual([address, 400]);
    }
    expect((await figures(running)).audit).toEqual([]);
  });

  it('does not start with actions that no audit would record', async () => {
    const dashboard = { actionScopes: ['ops:act'] };
    await expect(startDashboard(platform, { dashboard, audit: false })).rejects.toMatchObject({
      option: 'dashboard.actionScopes',
    });
    await startDashboard(platform, { dashboard: true, audit: false });
  });

  it('does not act while the audit record cannot be written', async () => {
    const disabled: string[] = [];
    const store: ApiKeyStore = {
      find: (id: string) => keys.store.find(id),
      findAgent: (id: string) => keys.store.findAgent(id),
      disableAgent: async id => void disabled.push(id),
    };
    const write = async (): Promise<never> => Promise.reject(new Error('full'));
    const running = await startDashboard(platform, {
      auth: { apiKeys: { store, secret: SECRET } },
      audit: { sinks: [{ name: 'siem', write }] },
    });
    const answer = await post(running, '/security/actions', { action: 'disable-agent', agent: 'bot' });
    expect([answer.status, answer.json().code]).toEqual([503, 'audit_unavailable']);
    expect(disabled).toEqual([]);
  });

  it('shows no reason of a store that holds a password', async () => {
    const store: QuotaStore = {
      consume: async () => Promise.reject(new Error('connect postgres://app:hunter22@db.internal/limits')),
    };
    const running = await startDashboard(platform, { rateLimit: { store } });
    const { body } = await running.send('/security/data', as(ops));
    expect(body).toContain('"state":"failing"');
    expect(body).not.toContain('hunter22');
  });

  it('records who acts, whatever the request says of itself', async () => {
    const running = await startDashboard(platform);
    const forged = {
      action: 'reset-quota',
      agent: 'bot',
      actor: 'nobody',
      by: 'nobody',
      requestId: 'forged',
      tool: 'read_notes',
      impact: 'low',
      __proto__: null,
    };
    await running.send('/security/actions', {
      method: 'POST',
      headers: {
        ...as(admin).headers,
        'Content-Type': 'application/json',
        'X-Forwarded-For': '203.0.113.9',
        'X-Agent': 'nobody',
        'X-Request-ID': 'mine',
      },
      body: JSON.stringify(forged),
    });
    const { audit } = await figures(running);
    expect(audit).toHaveLength(2);
    for (const record of audit)
      expect(record).toMatchObject({
        tool: 'dashboard:reset-quota',
        impact: 'high',
        agent: 'admin',
        address: '127.0.0.1',
        requestId: 'mine',
      });
  });

  it('shows no secret of the configuration, of requests or of the environment', async () => {
    const planted = (name: string): string => `planted-${name}-0123456789abcdefghijklmnopqrstuv`;
    const running = await startDashboard(platform, {
      auth: {
        apiKeys: { store: keys.store, secret: [SECRET, planted('pepper')] },
      },
      audit: { logger: true, redactPatterns: [/pattern/], key: planted('audit') },
      cspReports: { path: '/csp' },
    } as never);
    await running.send(`/hello?token=${planted('query')}`, {
      headers: {
        Cookie: `session=${planted('cookie')}`,
        'User-Agent': planted('agent'),
        Referer: `https://x.test/${planted('referer')}`,
        'X-API-Key': planted('key'),
      },
    });
    await running.send('/hello', { headers: { Authorization: `Bearer ask_${planted('bearer')}` } });
    await running.send('/hello', { headers: { Authorization: `Basic ${planted('basic')}` } });
    await running.send('/security/data', { headers: { Authorization: `Bearer ${planted('own')}` } });
    const bodies = [
      (await running.send('/security')).body,
      (await running.send('/security/data', as(ops))).body,
      (await running.send('/security/configuration', as(ops))).body,
      (await post(running, '/security/search', { text: '127' })).body,
    ];
    for (const body of bodies) {
      expect(body).not.toContain('planted');
      expect(body).not.toContain(SECRET);
      expect(body).not.toContain(ops);
    }
    expect(bodies[1]).toContain('credential_');
  });

  describe('with hostile entries of other processes', () => {
    const HOUR = {
      id: 'other',
      timeMs: Date.UTC(2030, 0, 1),
      minutes: [],
      clients: [],
      rejections: [],
      tools: [],
      audit: [],
    };
    const row = { timeMs: HOUR.timeMs, status: 404, code: 'not_found', requestId: 'elsewhere' };
    const good = { ...HOUR, rejections: [row] };

    it.each<[string, unknown]>([
      [
        'rows that are nothing',
        { minutes: [null], clients: [null], rejections: [null], tools: [null], audit: [null] },
      ],
      ['rows of other types', { minutes: [1], clients: ['x'], rejections: [[]], tools: [true], audit: [{}] }],
      ['minutes without counts', { minutes: [{ startMs: HOUR.timeMs }] }],
      [
        'counts that are no pairs',
        { minutes: [{ startMs: HOUR.timeMs, requests: 1, rejections: 1, codes: [null, 7], policies: {} }] },
      ],
      ['numbers that are texts', { tools: [{ tool: 'x', calls: '1e9', failures: {}, rejections: [] }] }],
      [
        'times that are no times',
        {
          rejections: [
            { ...row, timeMs: 'soon', requestId: 'never' },
            { ...row, timeMs: 1e300, requestId: 'never' },
          ],
        },
      ],
    ])('survives %s', async (_what, parts) => {
      const texts = [JSON.stringify({ ...HOUR, ...(parts as object) }), JSON.stringify(good)];
      const running = await startDashboard(platform, {
        rateLimit: { store: createStore({ texts: () => texts }) },
      });
      const stream = await openStream(running.port);
      await stream.next();
      running.timers.advance(1_000);
      await running.send('/security');
      running.timers.advance(1_000);
      const snapshot = await stream.next();
      expect(snapshot.rejections).toEqual([row]);
      const { minutes, tools, clients, audit } = snapshot;
      expect(JSON.stringify({ minutes, tools, clients, audit })).not.toMatch(/null|1e9|"x"/);
      stream.close();
    });

    it('shows bounded texts, and ignores entries that are too long', async () => {
      const long = 'x'.repeat(5_000);
      const texts = [
        JSON.stringify({ ...good, rejections: [{ ...row, path: long, extra: long }] }),
        JSON.stringify({ ...good, id: 'big', tools: [], audit: [], extra: 'y'.repeat(400_000) }),
      ];
      const running = await startDashboard(platform, {
        rateLimit: { store: createStore({ texts: () => texts }) },
      });
      running.timers.advance(10_000);
      await running.send('/security');
      const { rejections, processes } = await figures(running);
      expect(processes).toBe(2);
      expect(rejections).toEqual([{ ...row, path: `${long.slice(0, 200)}…` }]);
    });
  });

  it('keeps counting after the system time was far ahead', async () => {
    const running = await startDashboard(platform);
    const year = 31_536_000_000;
    running.clock.jump(year);
    await running.send('/hello', { headers: { 'X-Request-ID': 'ahead' } });
    await running.send('/notes/1', {
      method: 'DELETE',
      ...as(keys.add(`late-${platform.name}`, { tools: ['*'] }).key),
    });
    running.clock.jump(-year);
    await running.send('/hello', { headers: { 'X-Request-ID': 'after' } });
    const { minutes, rejections, tools, timeMs } = await figures(running);
    expect(minutes.every(({ startMs }: any) => startMs <= timeMs)).toBe(true);
    expect(minutes.at(-1)).toMatchObject({ requests: 2, rejections: 1 });
    expect(rejections[0].requestId).toBe('after');
    expect(tools).toEqual([]);
  });

  it('shows tools that run, however many names clients invent', async () => {
    const running = await startDashboard(platform);
    const events = running.app.get(SecurityEvents);
    for (let count = 0; count < 1_000; count++)
      events.emit({
        type: 'tool.rejected',
        timeMs: 0,
        tool: `invented-${count}`,
        reason: 'unknown',
      } as never);
    const agent = keys.add(`tools-${platform.name}`, { tools: ['*'] }).key;
    await running.send('/notes/1', { method: 'DELETE', ...as(agent) });
    const { tools } = await figures(running);
    expect(tools[0]).toMatchObject({ tool: 'delete_note', calls: 1 });
    expect(tools.find(({ tool }: any) => tool === '(other)').rejections).toBeGreaterThan(900);
  });
});

it('closes the stream of a client over HTTP/2 that reads nothing', async () => {
  const adapter = () => new FastifyAdapter({ http2: true }) as never;
  const { port, app, timers } = await startDashboard(FASTIFY, {}, { adapter });
  const closed = new Promise(resolve =>
    app.getHttpServer().once('stream', (served: Duplex) => served.once('close', () => resolve('closed'))),
  );
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  const headers = { ':path': '/security/data', ...as(ops).headers, ...STREAM };
  const stream = session.request(headers).on('error', () => undefined);
  await new Promise(resolve => stream.once('response', resolve));
  const long = 'x'.repeat(200);
  for (let second = 0; second < 60; second++) {
    for (let count = 0; count < 50; count++)
      app
        .get(SecurityEvents)
        .emit({ ...REJECTED, reason: long, received: long, remedy: long, path: `/${second}` });
    timers.advance(1_000);
    await new Promise(resolve => setImmediate(resolve));
  }
  expect(await closed).toBe('closed');
  session.destroy();
});
