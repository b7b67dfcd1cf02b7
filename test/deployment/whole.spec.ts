/* An app beside other layers, deployed as docs/guides/full-deployment.md describes, and a walk through everything that it serves. */
import { Agent as HttpsAgent } from 'node:https';
import { createClient } from 'graphql-ws';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { type Answer, request, requestHttp2, type RequestOptions } from '../support/http.js';
import { PLATFORMS } from '../support/platforms.js';
import { describeWithRedis, until } from '../support/redis.js';
import {
  build,
  deploy,
  type Deployment,
  HOST,
  isNginxInstalled,
  PAGE,
  PASSPORT_TOKEN,
} from './deployment.js';

const APP = 'https://app.example.com';
const EVIL = 'https://evil.example';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' };

const describeWhole = isNginxInstalled ? describeWithRedis : describe.skip;

describeWhole('nginx, two replicas and Redis', () => {
  beforeAll(build, 120_000);

  describe.each(PLATFORMS)('on %s', (_title, { name }) => {
    const isExpress = name === 'Express';
    let whole: Deployment;
    beforeAll(async () => void (whole = await deploy(name)), 60_000);
    afterAll(() => whole?.close());

    /** Each test is clients of its own, so that no quota is used twice. */
    let localAddress = '';
    let clients = 10;
    const newClient = (): string => (localAddress = `127.0.0.${clients++}`);
    beforeEach(newClient);

    const send = async (path: string, options: Omit<RequestOptions, 'path'> = {}): Promise<Answer> => {
      const headers = { Host: HOST, ...(options.headers as Record<string, string>) };
      const answer = await request(whole.port, { tls: true, localAddress, ...options, headers, path });
      expectWhole(answer);
      return answer;
    };
    const over2 = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
      const target = { path, headers: { ':authority': HOST, ...headers }, tls: true, localAddress };
      const answer = await requestHttp2(whole.port, target);
      expectWhole(answer);
      return answer;
    };
    const bearer = (text: string): Record<string, string> => ({ Authorization: `Bearer ${text}` });
    const statusAndCode = ({ status, body }: Answer): unknown[] => [status, JSON.parse(body).code];

    it('starts without a warning', () => {
      for (const { log } of whole.replicas) expect(log).not.toMatch(/WARN|ERROR/);
    });

    describe('pages', () => {
      const policy = /^default-src 'self';.*style-src 'self' 'unsafe-inline'/;

      it('serves a page and its files over HTTP/2, and revalidates them', async () => {
        const page = await over2('/app/');
        expect([page.status, page.body]).toEqual([200, PAGE]);
        expect(page.header('content-security-policy')).toMatch(policy);
        expect((await over2('/app/page.css')).header('content-type')).toMatch(/^text\/css/);
        expect((await over2('/app/page.js')).header('content-type')).toMatch(/javascript/);
      });

      it('revalidates a page without a policy that forbids it everything', async () => {
        const page = await over2('/app/');
        const again = await over2('/app/', { 'if-none-match': page.header('etag')! });
        expect([again.status, again.body]).toEqual([304, '']);
        // A cache takes the headers of a 304 over into the page that it has stored.
        expect(again.header('content-security-policy') ?? '').not.toContain("default-src 'none'");
      });

      const postForm = (headers: Record<string, string>): Promise<Answer> =>
        send('/forms', { method: 'POST', body: 'name=Ada', headers: { ...FORM_TYPE, ...headers } });

      it('accepts the form of its own page', async () => {
        expect((await postForm({ Origin: `https://${HOST}` })).status).toBe(201);
        // What Chromium sends from a page with `Referrer-Policy: no-referrer`.
        const own = await postForm({ Origin: 'null', 'Sec-Fetch-Site': 'same-origin' });
        expect([own.status, own.body]).toEqual([201, '{"name":"Ada"}']);
      });

      it('rejects the form of another site', async () => {
        for (const headers of [
          { Origin: EVIL, 'Sec-Fetch-Site': 'cross-site' },
          { Origin: EVIL },
          { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' },
          { Origin: 'null' },
        ])
          expect(statusAndCode(await postForm(headers as never))).toEqual([403, 'origin_not_allowed']);
      });

      it('serves Swagger UI', async () => {
        const page = await over2('/docs');
        expect(page.status).toBe(200);
        expect(page.header('content-security-policy')).toMatch(policy);
        for (const file of page.body.match(/(?<=(?:src|href)=")\.\/[^"]+/g)!)
          expect([file, (await over2(`/${file.replace('./', '')}`)).status]).toEqual([file, 200]);
        const document = (await over2('/docs-json')).json();
        expect(document.paths['/data'].get.responses).toHaveProperty('401');
      });
    });

    describe('requests of other origins', () => {
      const preflight = (Origin: string): Promise<Answer> =>
        send('/data', {
          method: 'OPTIONS',
          headers: {
            Origin,
            'Access-Control-Request-Method': 'GET',
            'Access-Control-Request-Headers': 'x-api-key',
          },
        });

      it('admits the listed origin', async () => {
        const { status, header } = await preflight(APP).then(answer => ({
          status: answer.status,
          header: answer.header('access-control-allow-origin'),
        }));
        expect([status, header]).toEqual([204, APP]);
        const answer = await send('/data', { headers: { Origin: APP, 'X-API-Key': whole.keys.reader } });
        expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([200, APP]);
      });

      it('rejects every other origin', async () => {
        expect(statusAndCode(await preflight(EVIL))).toEqual([403, 'origin_not_allowed']);
        const answer = await send('/data', { headers: { Origin: EVIL, 'X-API-Key': whole.keys.reader } });
        expect([answer.status, answer.all('access-control-allow-origin')]).toEqual([200, []]);
      });
    });

    describe('credentials', () => {
      it('accepts API keys in both headers', async () => {
        const { reader } = whole.keys;
        for (const headers of [{ 'X-API-Key': reader }, bearer(reader)])
          expect((await send('/data', { headers })).json()).toEqual({ agent: 'reader' });
      });

      it("accepts an API key beside a gateway's own credential", async () => {
        const headers = { 'X-API-Key': whole.keys.reader, Authorization: 'Basic Z2F0ZXdheTpzZWNyZXQ=' };
        expect((await send('/data', { headers })).json()).toEqual({ agent: 'reader' });
      });

      it('rejects requests without a credential and with an unknown one', async () => {
        expect(statusAndCode(await send('/data'))).toEqual([401, 'credential_missing']);
        const forged = whole.keys.reader.replace(/_.{4}/, '_AAAA');
        const unknown = await send('/data', { headers: { 'X-API-Key': forged } });
        expect(statusAndCode(unknown)).toEqual([401, 'invalid_token']);
        const inUrl = await send(`/data?api_key=${whole.keys.reader}`);
        expect(statusAndCode(inUrl)).toEqual([400, 'credential_in_url']);
      });

      it("leaves a public route to the app's own guard", async () => {
        const known = await send('/people/me', { headers: bearer(PASSPORT_TOKEN) });
        expect([known.status, known.body]).toEqual([200, '{"user":"ada"}']);
        expect((await send('/people/me', { headers: bearer('a-wrong-token') })).status).toBe(401);
        expect((await send('/people/me')).status).toBe(401);
      });

      it('guards a tool', async () => {
        const remove = (headers: Record<string, string> = {}): Promise<Answer> =>
          send('/users/7', { method: 'DELETE', headers });
        expect(statusAndCode(await remove())).toEqual([401, 'credential_missing']);
        expect(statusAndCode(await remove(bearer(whole.keys.reader)))).toEqual([403, 'insufficient_scope']);
        const answers: Answer[] = [];
        for (let call = 0; call < 5; call++) answers.push(await remove(bearer(whole.keys.admin)));
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 429]);
        expect(answers[4]!.json()).toMatchObject({ 'violated-policies': ['delete_user/4-per-minute'] });
      });
    });

    it('streams events over HTTP/2', async () => {
      const answer = await over2('/events');
      expect(answer.header('content-type')).toMatch(/^text\/event-stream/);
      expect(answer.body.match(/^data: .*$/gm)).toEqual(['data: 0', 'data: 1', 'data: 2']);
    });

    describe('limits and addresses', () => {
      it('counts a client over both replicas', async () => {
        const answers: Answer[] = [];
        for (let turn = 0; turn < 8; turn++) answers.push(await send('/limited'));
        expect(answers.map(({ status }) => status)).toEqual([...Array(6).fill(200), 429, 429]);
        const served = answers.slice(0, 6).map(answer => answer.json().replica);
        expect(new Set(served)).toEqual(new Set(['0', '1']));
        expect(statusAndCode(answers[6]!)).toEqual([429, 'rate_limited']);
        expect(answers[6]!.header('retry-after')).toMatch(/^\d+$/);
        newClient();
        expect((await send('/limited')).status).toBe(200);
      });

      it('takes address and scheme from nginx, whatever the client claims', async () => {
        const forged = {
          'X-Forwarded-For': '6.6.6.6',
          'X-Forwarded-Proto': 'http',
          'X-Forwarded-Host': 'evil.example',
          Forwarded: 'for=7.7.7.7;host=evil.example;proto=http',
        };
        for (const headers of [{}, forged]) {
          const answer = await send('/client', { headers });
          expect(answer.json()).toMatchObject({ address: localAddress });
          expect(answer.header('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
        }
        const foreign = await send('/client', { headers: { Host: 'evil.example' } });
        expect(statusAndCode(foreign)).toEqual([421, 'host_not_allowed']);
      });

      it('answers a probe by address on its path alone', async () => {
        for (const { port } of whole.replicas) {
          const probe = (path: string): Promise<Answer> => request(port, { path, localAddress });
          expect((await probe('/healthz')).body).toBe('{"status":"ok"}');
          expect(statusAndCode(await probe('/client'))).toEqual([421, 'host_not_allowed']);
        }
      });
    });

    describe('errors', () => {
      const post = (body: string, headers: Record<string, string> = JSON_TYPE): Promise<Answer> =>
        send('/forms', { method: 'POST', body, headers });
      const rows: [title: string, send: () => Promise<Answer>, status: number, code: string][] = [
        ['an unknown path', () => send('/none'), 404, 'not_found'],
        ['malformed JSON', () => post('{"name":'), 400, 'bad_request'],
        ['a prototype-polluting key', () => post('{"__proto__":{}}'), 400, 'body_invalid'],
        ['an ambiguous path', () => send('/users%2f7', { method: 'DELETE' }), 400, 'url_invalid'],
        ['a body over the limit', () => post(`"${'a'.repeat(1_100_000)}"`), 413, 'body_too_large'],
        ['an error of a handler', () => send('/broken'), 500, 'internal_error'],
      ];
      it.each(rows)('%s is a problem', async (_what, run, status, code) => {
        const answer = await run();
        expect(answer.header('content-type')).toBe('application/problem+json');
        expect([answer.status, answer.json().code]).toEqual([status, code]);
        expect(answer.json().requestId).toBe(answer.header('x-request-id'));
        expect(answer.body).not.toContain('secret');
      });

      it('reach the error reporter once, and only those that no handler expected', async () => {
        for (const replica of whole.replicas) replica.reported.length = 0;
        await send('/none');
        await send('/broken');
        await until(() => whole.replicas.some(({ reported }) => reported.length > 0));
        expect(whole.replicas.flatMap(({ reported }) => reported)).toEqual(['a secret of the database']);
      });
    });

    if (isExpress)
      describe('GraphQL', () => {
        const query = async (text: string, headers: Record<string, string> = {}): Promise<any> => {
          const body = JSON.stringify({ query: text });
          const sent = { method: 'POST', body, headers: { ...JSON_TYPE, ...headers } };
          return (await send('/graphql', sent)).json();
        };

        it('answers queries of authenticated agents', async () => {
          const { data } = await query('{ replica }', bearer(whole.keys.reader));
          expect(data.replica).toMatch(/^[01]$/);
          expect((await query('{ replica }')).errors[0].extensions.code).toBe('UNAUTHENTICATED');
        });

        it('limits the operations of a subscription socket', async () => {
          const results: any[] = [];
          const client = graphqlClient(whole, localAddress, bearer(whole.keys.reader));
          for await (const result of client.iterate({ query: 'subscription { ticks }' }))
            results.push(result);
          expect(results.map(({ data }) => data.ticks)).toEqual([1, 2, 3]);
          const codes: unknown[] = [];
          for (let turn = 0; turn < 4; turn++)
            for await (const result of client.iterate({ query: '{ limited }' }))
              codes.push(result.errors?.[0]?.extensions?.['code'] ?? 'OK');
          expect(codes).toEqual(['OK', 'OK', 'OK', 'RATE_LIMITED']);
          await client.dispose();
        });

        it('rejects a subscription socket without a credential and of another site', async () => {
          for (const headers of [{}, { ...bearer(whole.keys.reader), Origin: EVIL }]) {
            const client = graphqlClient(whole, localAddress, headers);
            const run = async (): Promise<void> => {
              for await (const _result of client.iterate({ query: '{ limited }' }));
            };
            await expect(run()).rejects.toBeDefined();
          }
        });
      });

    describe('socket.io', () => {
      it.each(['websocket', 'polling'] as const)('limits messages over %s', async transport => {
        const agent = transport === 'websocket' ? whole.keys.reader : whole.keys.admin;
        const socket = await openSocket(whole, localAddress, transport, bearer(agent));
        const replies: unknown[] = [];
        for (let turn = 0; turn < 4; turn++) {
          const reply = new Promise(resolve => socket.onAny((name, data) => resolve(data.code ?? name)));
          socket.emit('ask', 'who');
          replies.push(await reply);
          socket.offAny();
        }
        expect(replies).toEqual(['answer', 'answer', 'answer', 'rate_limited']);
        socket.close();
      });

      it.each(['websocket', 'polling'] as const)('rejects handshakes over %s', async transport => {
        const open = (headers: Record<string, string>): Promise<unknown> =>
          openSocket(whole, localAddress, transport, headers);
        await expect(open({})).rejects.toThrow('401');
        await expect(open({ ...bearer(whole.keys.reader), Origin: EVIL })).rejects.toThrow('403');
      });
    });

    it('has logged no other error than that of the broken handler', () => {
      const errors = whole.replicas.flatMap(({ log }) => log.match(/^.*\bERROR\b.*$/gm) ?? []);
      // A busy machine may miss the 100 ms of a decision, which the log then says.
      const expected = ['a secret of the database', 'The rate-limit store fails'];
      expect(errors.filter(line => !expected.some(text => line.includes(text)))).toEqual([]);
      expect(errors.length).toBeGreaterThan(0);
    });

    describe('failures', () => {
      it('serves every request while a replica is killed and started again', async () => {
        const statuses: number[] = [];
        for (let turn = 0; turn < 20; turn++) {
          if (turn === 5) await whole.killReplica(0);
          statuses.push((await send('/client')).status);
        }
        expect(statuses).toEqual(Array(20).fill(200));
        const limited: number[] = [];
        for (let turn = 0; turn < 7; turn++) limited.push((await send('/limited')).status);
        expect(limited).toEqual([...Array(6).fill(200), 429]);
        (await openSocket(whole, localAddress, 'websocket', bearer(whole.keys.reader))).close();
        await whole.startReplica(0);
        // The new process knows what was counted before it.
        const direct = { path: '/limited', headers: fromNginx(localAddress) };
        const answer = await request(whole.replicas[0]!.port, direct);
        expect(answer.status).toBe(429);
      });

      it('serves every request while Redis is restarted, and shares counts again', async () => {
        await whole.redis.kill();
        for (let turn = 0; turn < 6; turn++) expect((await send('/client')).status).toBe(200);
        await whole.redis.start();
        await until(async () => {
          newClient();
          const direct = { path: '/limited', headers: fromNginx(localAddress) };
          const left: number[] = [];
          for (const { port } of whole.replicas)
            left.push(Number((await request(port, direct)).header('x-ratelimit-remaining')));
          return (left[0] ?? 0) - (left[1] ?? 0) === 1;
        });
      });
    });
  });
});

/** Every response has the headers of the module, and none of them twice. */
function expectWhole(answer: Answer): void {
  expect(answer.repeated).toEqual([]);
  const names = ['x-request-id', 'x-content-type-options', 'strict-transport-security', 'vary'];
  for (const name of names) expect([name, answer.all(name).length]).toEqual([name, 1]);
  if (answer.status >= 400) {
    expect(answer.header('content-type')).toBe('application/problem+json');
    expect(answer.json()).toMatchObject({
      status: answer.status,
      requestId: answer.header('x-request-id'),
      code: expect.any(String),
    });
  }
}

/** What nginx sends for a client, for requests that go to one replica. */
const fromNginx = (address: string): Record<string, string> => ({
  Host: HOST,
  'X-Forwarded-For': address,
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': HOST,
});

/** Connects to nginx whatever the name, from an address of its own. */
const agentOf = (localAddress: string): HttpsAgent =>
  new HttpsAgent({
    localAddress,
    rejectUnauthorized: false,
    lookup: (_name, { all }, found) =>
      all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4),
  });

function graphqlClient(whole: Deployment, localAddress: string, headers: Record<string, string>) {
  return createClient({
    url: `wss://${HOST}:${whole.port}/graphql`,
    retryAttempts: 0,
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers, agent: agentOf(localAddress) });
      }
    },
  });
}

type Socket = ReturnType<typeof io>;

function openSocket(
  whole: Deployment,
  localAddress: string,
  transport: 'websocket' | 'polling',
  headers: Record<string, string>,
): Promise<Socket> {
  const socket = io(`https://${HOST}:${whole.port}`, {
    transports: [transport],
    extraHeaders: headers,
    agent: agentOf(localAddress) as never,
    rejectUnauthorized: false,
    reconnection: false,
    forceNew: true,
  });
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', error => {
      socket.close();
      const { description } = error as { description?: number | { message?: string } };
      reject(new Error(String(typeof description === 'object' ? description.message : description)));
    });
  });
}
