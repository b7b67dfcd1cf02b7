/* What two replicas of an app share through Redis besides the limits of routes: failed attempts, limits of endpoints, used proofs, alerts. */
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { Controller, Get } from '@nestjs/common';
import { calculateJwkThumbprint, exportJWK, SignJWT } from 'jose';
import {
  AgentTool,
  type AgentSecurityOptions,
  type QuotaStore,
  type RateLimitInput,
  type RateLimitOptions,
  type SecurityEvent,
  SecurityEvents,
  signProxyRequest,
  type StoreErrorPolicy,
} from '../../src/index.js';
import { createRedisStore } from '../../src/redis/index.js';
import type { Answer } from '../support/http.js';
import { createApiKey, SECRET, TestKeys } from '../support/keys.js';
import { MeController } from '../support/controllers.js';
import { modern, SDK_SERVER } from '../support/mcp.js';
import { type Platform, PLATFORMS } from '../support/platforms.js';
import {
  closeAfterAll,
  describeWithEachServer,
  pause,
  type RedisServer,
  startServer,
  until,
} from '../support/redis.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';
import { AUDIENCE, EC, ISSUER, NOW_S, sign } from '../tokens/support.js';

const HOST = 'api.example.com';
const OWN_ISSUER = `https://${HOST}`;
const ADMITS_ALL: RateLimitOptions = { limits: false, flood: false };
const PROXY_SECRET = 'a secret of the proxy and of this app alone';
const proofKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });

@Controller()
class ToolController {
  @AgentTool('read_me', { limit: '10/minute', alertAt: [5] })
  @Get('tool')
  read(): string {
    return 'read';
  }
}

type Send = (app: RunningApp) => Promise<Answer>;

/** One fact of each kind that replicas share: what makes it, and how the replica that comes too late answers. */
interface Shared {
  readonly options: AgentSecurityOptions;
  readonly parts?: AppParts;
  /** A request that two of may pass, or one with `once`. Called once for each test, so that all replicas get the same proof. */
  prepare(): Promise<Send> | Send;
  readonly once?: true;
  readonly passes: number;
  readonly rejects: number;
}

const keys = new TestKeys();
const { key } = keys.add('bot', { scopes: ['data:read'] });
const apiKeys = { store: keys.store, secret: SECRET };
const headersOf = (more: Record<string, string>): Record<string, string> => ({ Host: HOST, ...more });

async function prove(htm: string, htu: string, accessToken?: string): Promise<string> {
  const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url');
  return new SignJWT({ jti: randomUUID(), iat: NOW_S, htm, htu, ath })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(proofKey.publicKey) })
    .sign(proofKey.privateKey);
}

const tokenEndpoint = { issuer: OWN_ISSUER, insecureEphemeralKey: true } as const;
const requestToken = (app: RunningApp, more: Record<string, string> = {}): Promise<Answer> =>
  app.send('/oauth/token', {
    method: 'POST',
    body: 'grant_type=client_credentials',
    headers: headersOf({
      Authorization: `Basic ${Buffer.from(`bot:${key}`).toString('base64')}`,
      'Content-Type': 'application/x-www-form-urlencoded',
      ...more,
    }),
  });

const kinds: [title: string, kind: Shared][] = [
  [
    'failed attempts',
    {
      options: { auth: { apiKeys, failedAttempts: '2/minute' } },
      prepare: () => app =>
        app.send('/me', { headers: headersOf({ 'X-API-Key': createApiKey('ask').text }) }),
      passes: 401,
      rejects: 429,
    },
  ],
  [
    'the limit of the token endpoint',
    {
      options: {
        auth: { apiKeys, resource: OWN_ISSUER, tokenEndpoint: { ...tokenEndpoint, limit: '2/minute' } },
      },
      prepare: () => app => requestToken(app),
      passes: 200,
      rejects: 429,
    },
  ],
  [
    'DPoP proofs for the API',
    {
      options: {
        auth: {
          resource: AUDIENCE,
          failedAttempts: false,
          tokens: { issuer: ISSUER, algorithms: ['ES256'], keys: EC.publicKey, dpop: true },
        },
      },
      prepare: async () => {
        const jkt = await calculateJwkThumbprint(await exportJWK(proofKey.publicKey));
        const token = await sign({ claims: { cnf: { jkt } } });
        const DPoP = await prove('GET', `http://${HOST}/me`, token);
        return app => app.send('/me', { headers: headersOf({ Authorization: `DPoP ${token}`, DPoP }) });
      },
      once: true,
      passes: 200,
      rejects: 401,
    },
  ],
  [
    'DPoP proofs for the token endpoint',
    {
      options: { auth: { apiKeys, resource: OWN_ISSUER, tokenEndpoint: { ...tokenEndpoint, dpop: true } } },
      prepare: async () => {
        const DPoP = await prove('POST', `${OWN_ISSUER}/oauth/token`);
        return app => requestToken(app, { DPoP });
      },
      once: true,
      passes: 200,
      rejects: 400,
    },
  ],
  [
    'proofs of a proxy',
    {
      options: { mcp: { hosts: [HOST], proxyProof: { secrets: [PROXY_SECRET] } } },
      parts: SDK_SERVER.parts,
      prepare: () => {
        const { body, headers } = modern('tools/list');
        const request = { method: 'POST', target: '/mcp', body: Buffer.from(body) };
        const proof = signProxyRequest(PROXY_SECRET, request, { nowMs: NOW_S * 1_000 });
        return app =>
          app.send('/mcp', { body, headers: headersOf({ ...headers, 'X-Proxy-Signature': proof }) });
      },
      once: true,
      passes: 200,
      rejects: 403,
    },
  ],
];

describeWithEachServer('the state that replicas share', name => {
  let redis: RedisServer;
  let turn = 0;
  beforeAll(async () => void (redis = await startServer(name)), 30_000);

  /** Two replicas, each with a connection of its own. */
  async function startReplicas(
    platform: Platform,
    options: AgentSecurityOptions,
    { rateLimit = {}, parts = {}, server = redis, times = 2 }: Replicas = {},
  ): Promise<readonly RunningApp[]> {
    const prefix = `${++turn}:`;
    const apps: RunningApp[] = [];
    for (let replica = 0; replica < times; replica++) {
      const store = await createRedisStore(server.url, { prefix });
      closeAfterAll(() => store.close());
      const limits = { ...ADMITS_ALL, store, ...rateLimit };
      apps.push(
        await start(platform, {
          controllers: [MeController],
          ...parts,
          options: { hosts: [HOST], rateLimit: limits, ...options },
        }),
      );
    }
    return apps;
  }

  describe.each(PLATFORMS)('on %s', (_title, platform) => {
    it.each(kinds)('%s', async (_kind, { options, parts = {}, prepare, once, passes, rejects }) => {
      const [one, two] = (await startReplicas(platform, options, { parts })) as [RunningApp, RunningApp];
      const send = await prepare();
      const apps = once ? [one, two, one] : [one, two, one, two];
      const statuses: number[] = [];
      for (const app of apps) statuses.push((await send(app)).status);
      expect(statuses).toEqual(once ? [passes, rejects, rejects] : [passes, passes, rejects, rejects]);
    });

    it('CSP reports of one address', async () => {
      const apps = await startReplicas(platform, { cspReports: true });
      const report = (turnOf: number): Promise<Answer> =>
        apps[turnOf % 2]!.send('/.well-known/csp-reports', {
          method: 'POST',
          body: '[]',
          headers: headersOf({ 'Content-Type': 'application/reports+json' }),
        });
      for (let count = 0; count < 60; count++) expect((await report(count)).status).toBe(204);
      expect([(await report(0)).status, (await report(1)).status]).toEqual([429, 429]);
    });

    /** What replicas decide without Redis, in turn. */
    const deciders: [onStoreError: StoreErrorPolicy, of: (kind: Shared) => readonly number[]][] = [
      [
        'local',
        ({ once, passes, rejects }) => (once ? [passes, passes, rejects] : [passes, passes, passes, passes]),
      ],
      [
        'allow',
        ({ once, passes, rejects }) => (once ? [passes, passes, rejects] : [passes, passes, passes, passes]),
      ],
      ['deny', () => [503, 503]],
    ];
    describe.each(deciders)("without Redis, onStoreError '%s' applies to", (onStoreError, decide) => {
      it.each(kinds)('%s', async (_kind, kind) => {
        const { options, parts = {}, prepare } = kind;
        const server = await startServer(name);
        const apps = await startReplicas(platform, options, { parts, server, rateLimit: { onStoreError } });
        await server.kill();
        const [one, two] = apps as [RunningApp, RunningApp];
        const send = await prepare();
        const answers: Answer[] = [];
        const expected = decide(kind);
        for (const app of [one, two, one, two].slice(0, expected.length)) answers.push(await send(app));
        expect(answers.map(({ status }) => status)).toEqual(expected);
        const unavailable = answers.filter(({ status }) => status === 503);
        expect(unavailable.map(answer => answer.header('Retry-After'))).toEqual(unavailable.map(() => '1'));
      });
    });

    it('a frozen Redis delays a rejected credential by the deadline, and hangs nothing', async () => {
      const server = await startServer(name);
      const auth = { apiKeys, failedAttempts: '2/minute' };
      const [app] = (await startReplicas(platform, { auth }, { server, times: 1 })) as [RunningApp];
      server.pause();
      const statuses: number[] = [];
      const send = (): Promise<Answer> =>
        app.send('/me', { headers: headersOf({ 'X-API-Key': createApiKey('ask').text }) });
      for (let count = 0; count < 3; count++) statuses.push((await send()).status);
      expect(statuses).toEqual([401, 401, 429]);
      server.resume();
    });

    it('a store without remember() leaves used proofs to each process', async () => {
      const kind = new Map(kinds).get('DPoP proofs for the API')!;
      const store: QuotaStore = { consume: async () => ({ granted: true, policyStates: [] }) };
      const apps = await startReplicas(platform, kind.options, {
        rateLimit: { store, onStoreError: 'deny' },
      });
      const send = await kind.prepare();
      const statuses = [];
      for (const app of [apps[0]!, apps[1]!, apps[0]!]) statuses.push((await send(app)).status);
      expect(statuses).toEqual([200, 200, 401]);
    });

    const alerts: [title: string, type: string, limits: RateLimitInput, tells: number][] = [
      ['a threshold', 'limit.threshold', { limit: '10/minute', alertAt: [0.5, 0.8] }, 2],
      ['a denial in shadow mode', 'limit.shadow', { limit: '3/minute', shadow: true }, 1],
    ];
    it.each(alerts)('%s is told once in a window, by one replica', async (_alert, type, limits, tells) => {
      const apps = await startReplicas(platform, {}, { rateLimit: { limits }, times: 3 });
      const events = apps.map(eventsOf);
      for (let count = 0; count < 10; count++)
        expect((await apps[count % 3]!.send('/me', { headers: headersOf({}) })).status).toBe(200);
      // The replicas answer a request before they have told of it.
      await until(() => typesOf(events, type).length >= tells);
      for (const app of apps) await app.send('/me', { headers: headersOf({}) });
      await pause(50);
      expect(typesOf(events, type)).toHaveLength(tells);
    });

    it('a threshold is told by each replica while Redis fails', async () => {
      const server = await startServer(name);
      const limits = { limit: '10/minute', alertAt: [0.2] };
      const apps = await startReplicas(platform, {}, { rateLimit: { limits }, server });
      const events = apps.map(eventsOf);
      await server.kill();
      for (let count = 0; count < 8; count++) await apps[count % 2]!.send('/me', { headers: headersOf({}) });
      await until(() => typesOf(events, 'limit.threshold').length >= 2);
      expect(typesOf(events, 'limit.threshold')).toHaveLength(2);
    });

    it('a tool’s threshold that the count passes again is not told again by another replica', async () => {
      const remembered = new Set<string>();
      const store: QuotaStore = {
        consume: async charges => ({
          granted: true,
          policyStates: charges.flatMap(({ policies }) =>
            policies.map(policy => ({ policy, remaining: policy.burst - 5, resetMs: 1, violated: false })),
          ),
        }),
        remember: async text => remembered.size < remembered.add(text).size,
      };
      const parts = { controllers: [ToolController] };
      const apps = await startReplicas(platform, {}, { parts, rateLimit: { store } });
      const events = apps.map(eventsOf);
      for (const app of apps) expect((await app.send('/tool', { headers: headersOf({}) })).status).toBe(200);
      await pause(50);
      expect(typesOf(events, 'tool.threshold')).toHaveLength(1);
    });

    it('a shared flood limit, without a round trip and with the stated overshoot', async () => {
      const rateLimit = { flood: '100/hour', sharedFlood: true };
      const apps = await startReplicas(platform, {}, { rateLimit, times: 4 });
      const statuses: number[] = [];
      for (let count = 0; count < 400; count++)
        statuses.push((await apps[count % 4]!.send('/nowhere', { headers: headersOf({}) })).status);
      const admitted = statuses.filter(status => status === 404).length;
      // Each of four processes may keep a twentieth less one to itself, and admits what comes while it reports.
      expect(admitted).toBeGreaterThanOrEqual(100);
      expect(admitted).toBeLessThanOrEqual(100 + 4 * 5 * 2);
      const last = await apps[3]!.send('/nowhere', { headers: headersOf({}) });
      expect([last.status, last.json()['violated-policies']]).toEqual([429, ['flood']]);
    });

    it('a shared flood limit holds in each process while Redis fails', async () => {
      const server = await startServer(name);
      const rateLimit = { flood: '20/hour', sharedFlood: true };
      const [app] = (await startReplicas(platform, {}, { rateLimit, server, times: 1 })) as [RunningApp];
      await server.kill();
      const statuses: number[] = [];
      for (let count = 0; count < 30; count++)
        statuses.push((await app.send('/nowhere', { headers: headersOf({}) })).status);
      expect(statuses).toEqual([...Array(20).fill(404), ...Array(10).fill(429)]);
    });

    it('an address that is limited is reported by one replica', async () => {
      const apps = await startReplicas(platform, { auth: { apiKeys, failedAttempts: '2/minute' } });
      const events = apps.map(eventsOf);
      for (let count = 0; count < 6; count++)
        await apps[count % 2]!.send('/me', { headers: headersOf({ 'X-API-Key': createApiKey('ask').text }) });
      expect(typesOf(events, 'auth.limited')).toHaveLength(1);
    });
  });
});

const typesOf = (events: readonly SecurityEvent[][], type: string): SecurityEvent[] =>
  events.flat().filter(event => event.type === type);

interface Replicas {
  rateLimit?: RateLimitOptions;
  parts?: AppParts;
  server?: RedisServer;
  times?: number;
}

function eventsOf({ app }: RunningApp): SecurityEvent[] {
  const events: SecurityEvent[] = [];
  app.get(SecurityEvents).all.subscribe(event => events.push(event));
  return events;
}
