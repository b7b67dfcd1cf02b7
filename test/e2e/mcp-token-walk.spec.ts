/* The official MCP clients find the token endpoint by themselves: 401, metadata of the resource, metadata of the server, token, call. */
import {
  Client as Client2,
  ClientCredentialsProvider as Provider2,
  StreamableHTTPClientTransport as Transport2,
} from '@modelcontextprotocol/client';
import { ClientCredentialsProvider as Provider1 } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { systemClock } from '../../src/common/clock.js';
import type { TokenEndpointOptions } from '../../src/index.js';
import { freePort } from '../support/free-port.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { SDK_SERVER } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

const INFO = { name: 'test', version: '1.0.0' };

/** Calls a tool with the first tokens that the client gets for itself. */
const CLIENTS: readonly (readonly [
  string,
  (url: URL, secret: string, issuer: string) => Promise<readonly string[]>,
])[] = [
  [
    'SDK 1',
    async (url, clientSecret, expectedIssuer) => {
      const authProvider = new Provider1({ clientId: 'bot-1', clientSecret, expectedIssuer });
      const client = new Client1(INFO);
      await client.connect(new Transport1(url, { authProvider }) as never);
      const { tools } = await client.listTools();
      await client.close();
      return tools.map(({ name }) => name);
    },
  ],
  ...(['legacy', 'auto'] as const).map(
    mode =>
      [
        `client 2, ${mode}`,
        async (url: URL, clientSecret: string, expectedIssuer: string) => {
          const authProvider = new Provider2({ clientId: 'bot-1', clientSecret, expectedIssuer });
          const client = new Client2(INFO, { versionNegotiation: { mode } });
          await client.connect(new Transport2(url, { authProvider }));
          const { tools } = await client.listTools();
          await client.close();
          return tools.map(({ name }) => name);
        },
      ] as const,
  ),
];

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  let issuer: string;
  let key: string;

  const launch = async (
    path = '',
    resource: string | undefined = undefined,
    endpoint: Partial<TokenEndpointOptions> = {},
  ): Promise<RunningApp> => {
    const keys = new TestKeys();
    ({ key } = keys.add('bot-1', { scopes: ['mcp'] }, { nowMs: Date.now() }));
    const port = await freePort();
    issuer = `http://127.0.0.1:${port}${path}`;
    return start(platform, {
      ...SDK_SERVER.parts,
      clock: systemClock,
      port,
      options: {
        mcp: { path: '/mcp' },
        rateLimit: { limits: '1000/minute', flood: false },
        auth: {
          apiKeys: { store: keys.store, secret: SECRET },
          ...(resource === undefined ? {} : { resource: `http://127.0.0.1:${port}${resource}` }),
          tokenEndpoint: { issuer, insecureEphemeralKey: true, ...endpoint },
        },
      },
    });
  };

  describe.each(CLIENTS)('%s', (_client, listTools) => {
    it.each([
      ['default options', '', undefined],
      ['the endpoint as the resource', '', '/mcp'],
      ['an issuer and a resource with a slash', '/', '/'],
      ['an issuer with a path', '/tenant-1', '/mcp'],
    ])('walks from the 401 to a call with %s', async (_what, path, resource) => {
      const app = await launch(path, resource);
      const tools = await listTools(new URL(`http://127.0.0.1:${app.port}/mcp`), key, issuer);
      expect(tools).toContain('read_file');
    });
  });

  it('publishes an authorization endpoint that supports no response type', async () => {
    const app = await launch();
    const metadata = await app.send('/.well-known/oauth-authorization-server');
    expect(metadata.json()).toMatchObject({
      authorization_endpoint: `${issuer}/oauth/authorize`,
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
    });
    for (const [method, query] of [
      ['GET', ''],
      ['GET', '?response_type=code&client_id=bot-1&redirect_uri=https%3A%2F%2Fevil.example&state=x'],
      ['POST', ''],
    ] as const) {
      const answer = await app.send(`/oauth/authorize${query}`, { method });
      expect([answer.status, answer.json()]).toEqual([
        400,
        {
          error: 'unsupported_response_type',
          error_description:
            'Tokens are issued by the token endpoint alone, for the grant client_credentials.',
        },
      ]);
      expect(answer.header('Cache-Control')).toBe('no-store');
      // Never to a redirect URI: no client has registered one (RFC 6749 section 4.1.2.1).
      expect(answer.header('Location')).toBeUndefined();
    }
    const head = await app.send('/oauth/authorize', { method: 'HEAD' });
    expect([head.status, head.body]).toEqual([400, '']);
    const other = await app.send('/oauth/authorize', { method: 'DELETE' });
    expect([other.status, other.header('Allow')]).toEqual([405, 'GET, HEAD, POST']);
  });

  it('keeps the authorization endpoint beside the token endpoint', async () => {
    const app = await launch('', undefined, { path: '/agents/token' });
    const metadata = (await app.send('/.well-known/oauth-authorization-server')).json();
    expect(metadata.authorization_endpoint).toBe(`${issuer}/agents/authorize`);
    expect((await app.send('/agents/authorize')).status).toBe(400);
    expect((await app.send('/oauth/authorize')).status).toBe(404);
  });
});
