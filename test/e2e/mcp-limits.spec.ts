/* What messages to an MCP endpoint take from the limits, so that a client of an agent connects and makes its calls. */
import { readFileSync } from 'node:fs';
import type { Answer } from '../support/http.js';
import { calls, connectClient, JSON_HEADERS, MCP_SERVERS, modern, SESSION_SERVER } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, start } from '../support/start.js';

type Limits = NonNullable<NonNullable<AppParts['options']>['rateLimit']>;

const message = (method: string, params: object = {}, id: number | undefined = 1): string =>
  JSON.stringify({ jsonrpc: '2.0', ...(method.startsWith('notifications/') ? {} : { id }), method, params });
const CALL = message('tools/call', { name: 'read_file', arguments: {} });
const limitOf = (answer: Answer): string | undefined => answer.header('ratelimit')?.split(';t=')[0];

describe.each(PLATFORMS)('limits of MCP on %s', (_title, platform) => {
  describe.each(MCP_SERVERS)('with %s', (_server, server) => {
    it.each(server.revisions)(
      'allow ten calls at once of a client of revision %s by default',
      async revision => {
        const { port } = await start(platform, { ...server.parts, options: { mcp: {} } });
        const client = await connectClient(port, { revision });
        expect(await client.listTools()).toHaveLength(3);
        await Promise.all(Array.from({ length: 10 }, () => client.callTool('read_file')));
        expect(await client.listTools()).toHaveLength(3);
        await Promise.all(Array.from({ length: 10 }, () => client.callTool('read_log')));
        expect(calls).toHaveLength(20);
      },
    );
  });

  const startServer = async (rateLimit: Limits, mcp = {}) => {
    const app = await start(platform, { ...SESSION_SERVER.parts, options: { mcp, rateLimit } });
    const post = (body: string, headers: Record<string, string> = {}) =>
      app.send('/mcp', { body, headers: { ...JSON_HEADERS, ...headers } });
    return { ...app, post };
  };

  it.each<[string, Limits]>([
    ['no limits', {}],
    ['the default, written as a list', { limits: ['10/second', '100/minute'] }],
    ['the default, written as a text', { limits: '10/second, 100/minute' }],
  ])('deny the call beyond the default of calls for %s', async (_what, rateLimit) => {
    const { post } = await startServer(rateLimit);
    for (let count = 0; count < 30; count++) expect((await post(CALL)).status).not.toBe(429);
    const denied = await post(CALL);
    expect(denied.status).toBe(429);
    expect(denied.header('ratelimit-policy')).toBe('"30-per-second";q=30;w=1, "100-per-minute";q=100;w=60');
  });

  it('are those of the app where it chose some', async () => {
    const { post } = await startServer({ limits: ['10/second', '101/minute'] });
    expect(limitOf(await post(CALL))).toBe('"10-per-second";r=9');
  });

  it.each([
    'initialize',
    'ping',
    'notifications/initialized',
    'notifications/cancelled',
    'server/discover',
    'tools/list',
    'resources/templates/list',
  ])('charge %s to the quota of protocol messages', async method => {
    const { post } = await startServer({ limits: '2/minute' });
    expect(limitOf(await post(message(method)))).toBe('"10-per-minute";r=9');
    expect(limitOf(await post(CALL))).toBe('"2-per-minute";r=1');
    for (let count = 0; count < 9; count++) expect((await post(message(method))).status).not.toBe(429);
    expect((await post(message(method))).status).toBe(429);
    expect(limitOf(await post(CALL))).toBe('"2-per-minute";r=0');
  });

  it.each(['GET', 'DELETE'])('charge a %s to the quota of protocol messages', async method => {
    const { send } = await startServer({ limits: '2/minute' });
    const answer = await send('/mcp', { method, headers: { Accept: 'text/event-stream' } });
    expect(limitOf(answer)).toBe('"10-per-minute";r=9');
  });

  it.each([
    ['prompts/get', message('prompts/get', { name: 'x' })],
    ['a method that is not known', message('tools/run')],
    [
      'a call that is a notification',
      '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read_file"}}',
    ],
    ['a body that is no message', '{}'],
    ['a body that is not JSON', '{'],
    ['a long message', message('ping', { filler: 'x'.repeat(70_000) })],
  ])('charge %s as a call', async (_what, body) => {
    const { post } = await startServer({ limits: '2/minute' });
    expect(limitOf(await post(body))).toBe('"2-per-minute";r=1');
  });

  it('charge what Mcp-Method says, and reject a body that says something else', async () => {
    const { post } = await startServer({ limits: '2/minute' });
    const { body } = modern('tools/call', { name: 'read_file', arguments: {} });
    const headers = { ...modern('ping').headers, 'Mcp-Name': 'read_file' };
    const answer = await post(body, headers);
    expect([answer.status, limitOf(answer)]).toEqual([400, '"10-per-minute";r=9']);
    expect(calls).toEqual([]);
  });

  it('charge each message of a batch for what it is, and no call of a batch that is denied', async () => {
    const { post } = await startServer({ limits: '2/minute' });
    const batch = (...bodies: string[]): Promise<Answer> => post(`[${bodies.join(',')}]`);
    const [one, two, three] = [1, 2, 3].map(id => message('tools/call', { name: 'read_file' }, id));
    expect((await batch(one!, two!, three!)).status).toBe(429);
    expect(limitOf(await batch(one!, message('ping', {}, 9), two!))).toBe('"2-per-minute";r=0');
    expect(limitOf(await post(message('ping')))).toBe('"10-per-minute";r=8');
  });

  it('widen the limits of a tier, and keep names', async () => {
    const tiers = {
      small: [{ limit: '3/minute', name: 'burst', algorithm: 'token-bucket' as const, burst: 4 }],
    };
    const { post } = await startServer({ limits: '1000/minute', tiers, tier: () => 'small' });
    expect(limitOf(await post(message('ping')))).toBe('"burst";r=19');
    expect(limitOf(await post(CALL))).toBe('"burst";r=3');
  });

  it('widen dynamic limits, and charge no other unit', async () => {
    const limits = [
      { limit: () => '2/minute', name: 'own' },
      { limit: '100/day', name: 'tokens', unit: 'tokens', cost: () => 40 },
    ];
    const { post } = await startServer({ limits });
    expect((await post(message('ping'))).header('ratelimit-policy')).toBe('"own";q=10;w=60');
    expect((await post(CALL)).header('ratelimit')).toContain('"tokens";r=60;');
  });

  it('count open streams among the calls in flight', async () => {
    const { send } = await startServer({ limits: { limit: 1, algorithm: 'concurrency', name: 'open' } });
    const answer = await send('/mcp', { method: 'GET', headers: { Accept: 'text/event-stream' } });
    expect(answer.header('ratelimit-policy')).toBe('"open";q=1;qu="concurrent-requests"');
  });
});

it('the documentation names the default limits of calls', () => {
  expect(readFileSync('docs/rate-limits.md', 'utf8')).toContain('`30/second` and `100/minute`');
});
