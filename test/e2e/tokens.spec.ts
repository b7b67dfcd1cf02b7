/* Tokens of another issuer over HTTP: the guard cases of test/fixtures/cases/jwt.json. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get } from '@nestjs/common';
import {
  type Agent,
  AgentSecurityConfigError,
  type AuthOptions,
  CurrentAgent,
  Scopes,
  setAgentDisabled,
  type TokensOptions,
} from '../../src/index.js';
import { loadCases } from '../fixtures/load-cases.js';
import type { Answer } from '../support/http.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';
import { AUDIENCE, EC, forge, ISSUER, NOW_S, OTHER_EC, publicJwk, RSA, sign } from '../tokens/support.js';

@Controller()
class Routes {
  @Get('me')
  me(@CurrentAgent() agent: Agent): object {
    return { id: agent.id, kind: agent.kind };
  }

  @Get('x')
  @Scopes('x')
  x(): string {
    return 'x';
  }
}

const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource';

describe.each(PLATFORMS)('%s', (_title, platform) => {
  const launch = (
    tokens: Partial<TokensOptions> = {},
    auth: Partial<AuthOptions> = {},
    parts: AppParts = {},
  ): Promise<RunningApp> =>
    start(platform, {
      controllers: [Routes],
      ...parts,
      options: {
        rateLimit: { limits: '1000/minute', flood: '10000/second' },
        ...parts.options,
        auth: {
          resource: AUDIENCE,
          failedAttempts: false,
          tokens: {
            issuer: ISSUER,
            algorithms: ['ES256'],
            ...(tokens.jwksUri === undefined ? { keys: EC.publicKey } : {}),
            ...tokens,
          },
          ...auth,
        },
      },
    });

  const INVALID = `Bearer realm="api", error="invalid_token", error_description="The credential is not valid.", resource_metadata="${METADATA}"`;

  describe('the guard cases', () => {
    const { guard } = loadCases('jwt');
    const rejected = async (token: string, tokens?: Partial<TokensOptions>): Promise<Answer> => {
      const app = await launch(tokens);
      const answer = await app.send('/me', { headers: bearer(token) });
      expect([answer.status, answer.json().code]).toEqual([401, 'invalid_token']);
      expect(answer.header('Content-Type')).toBe('application/problem+json');
      for (const text of [answer.body, app.logger.text]) {
        for (const part of token.split(/[. ]/)) expect(text).not.toContain(part);
      }
      return answer;
    };
    const cases: Record<string, () => Promise<unknown>> = {
      'two tokens': async () => rejected(`${await sign()} ${await sign()}`),
      'alg not in list': async () =>
        rejected(await sign({ key: RSA.privateKey, header: { alg: 'RS384' } }), {
          keys: RSA.publicKey,
          algorithms: ['RS256'],
        }),
      'no alg list configured': async () =>
        expect(launch({}, { tokens: { issuer: ISSUER, keys: EC.publicKey } as never })).rejects.toMatchObject(
          {
            code: 'ASEC_TOKEN_ALGORITHM',
            constructor: AgentSecurityConfigError,
          },
        ),
      'kid proto': async () =>
        rejected(await sign({ header: { kid: '__proto__' } }), {
          keys: publicJwk(EC.publicKey, { kid: 'a' }),
        }),
      expired: async () => {
        const answer = await rejected(await sign({ claims: { exp: NOW_S - 61 } }), { clockTolerance: '60s' });
        expect(answer.header('WWW-Authenticate')).toContain('error="invalid_token"');
        expect(answer.header('X-Token-Expired')).toBe('true');
      },
      'exp string': async () => rejected(await sign({ claims: { exp: '9999999999' } })),
      'nbf future': async () => rejected(await sign({ claims: { nbf: NOW_S + 120 } })),
      'aud array contains': async () => {
        const app = await launch({ audience: 'api' });
        const headers = bearer(await sign({ claims: { aud: ['x', 'api'] } }));
        const answer = await app.send('/me', { headers });
        expect([answer.status, answer.json()]).toEqual([200, { id: 'agent-7', kind: 'token' }]);
      },
      'id token as access token': async () =>
        rejected(await sign({ header: { typ: 'JWT' }, claims: { nonce: 'n' } })),
      insufficient: async () => {
        const app = await launch();
        const answer = await app.send('/x', { headers: bearer(await sign()) });
        expect([answer.status, answer.json().code]).toEqual([403, 'insufficient_scope']);
        expect(answer.header('WWW-Authenticate')).toBe(
          `Bearer realm="api", error="insufficient_scope", scope="x", resource_metadata="${METADATA}"`,
        );
      },
      'error body': async () => {
        const answer = await rejected(await sign({ key: OTHER_EC.privateKey }));
        expect(answer.header('WWW-Authenticate')).toBe(INVALID);
        expect(answer.json()).toEqual({
          type: 'about:blank',
          title: 'Unauthorized',
          status: 401,
          detail: 'The credential is not valid.',
          code: 'invalid_token',
          requestId: answer.header('X-Request-ID'),
        });
      },
    };

    test('are complete', () => {
      expect(Object.keys(cases).toSorted()).toEqual(guard.map(({ name }) => name).toSorted());
    });

    it.each(guard.map(({ name, how, expect: wanted }) => [`${name} (${how}): ${wanted}`, name]))(
      '%s',
      async (_case, name) => {
        await expect(cases[name]!()).resolves.not.toThrow();
      },
    );
  });

  test('rejects the algorithm none', async () => {
    const app = await launch();
    const token = forge({ alg: 'none', typ: 'at+jwt' });
    for (const text of [token, token.slice(0, token.lastIndexOf('.') + 1)]) {
      const answer = await app.send('/me', { headers: bearer(text) });
      expect([answer.status, answer.header('WWW-Authenticate')]).toEqual([401, INVALID]);
    }
  });

  test('rejects tokens of any issuer for a disabled agent', async () => {
    const keys = new TestKeys();
    keys.add('agent-7');
    const app = await launch({}, { apiKeys: { store: keys.store, secret: SECRET } });
    const headers = bearer(await sign());
    expect((await app.send('/me', { headers })).status).toBe(200);
    keys.set(setAgentDisabled(keys.book, 'agent-7', true));
    expect((await app.send('/me', { headers })).status).toBe(401);
    keys.set(setAgentDisabled(keys.book, 'agent-7', false));
    expect((await app.send('/me', { headers })).status).toBe(200);
  });

  describe('the audience of tokens of another issuer', () => {
    const OTHER = 'https://other.example';
    type Row = [title: string, aud: unknown, audience: TokensOptions['audience'], status: number];
    const rows: Row[] = [
      ['is auth.resource', AUDIENCE, undefined, 200],
      ['is auth.resource among others', [OTHER, AUDIENCE], undefined, 200],
      ['is not another API', OTHER, undefined, 401],
      ['is not several other APIs', [OTHER, ISSUER], undefined, 401],
      ['is not the issuer', ISSUER, undefined, 401],
      ['is not a list in a list', [[AUDIENCE]], undefined, 401],
      ['is not an empty list', [], undefined, 401],
      ['is the audience that the options name', 'api://tools', 'api://tools', 200],
      ['is no longer auth.resource where the options name another', AUDIENCE, 'api://tools', 401],
    ];
    it.each(rows)('%s', async (...[, aud, audience, status]) => {
      const app = await launch(audience === undefined ? {} : { audience });
      const answer = await app.send('/me', { headers: bearer(await sign({ claims: { aud } })) });
      expect(answer.status).toBe(status);
    });
  });

  test('serves the metadata of an API whose tokens another issuer issues', async () => {
    const app = await launch();
    const answer = await app.send('/.well-known/oauth-protected-resource');
    expect(answer.json()).toEqual({
      resource: AUDIENCE,
      authorization_servers: [ISSUER],
      bearer_methods_supported: ['header'],
    });
    expect((await app.send('/.well-known/oauth-authorization-server')).status).toBe(404);
    expect((await app.send('/.well-known/jwks.json')).status).toBe(404);
    expect((await app.send('/oauth/token', { method: 'POST', body: 'a=b' })).status).toBe(404);
  });

  describe('a remote key set', () => {
    let server: Server;
    let fetched: number;
    let answer: () => { status?: number; headers?: Record<string, string>; body: string };
    const uri = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    const serve = (...set: unknown[]): void => {
      answer = () => ({ body: JSON.stringify({ keys: set }) });
    };
    beforeEach(async () => {
      fetched = 0;
      serve(publicJwk(EC.publicKey, { kid: 'a' }));
      server = createServer((_request, response) => {
        fetched++;
        const { status = 200, headers = {}, body } = answer();
        response.writeHead(status, headers).end(body);
      });
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    });
    afterEach(() => {
      server.closeAllConnections();
      return new Promise(resolve => server.close(resolve));
    });
    const get = async (app: RunningApp, kid: string, key = EC.privateKey): Promise<number> => {
      const now = Math.floor(app.clock.epochMs() / 1_000);
      const token = await sign({ key, header: { kid }, claims: { iat: now, exp: now + 600 } });
      return (await app.send('/me', { headers: bearer(token) })).status;
    };

    test('is fetched once for concurrent requests', async () => {
      const app = await launch({ jwksUri: uri() });
      expect(fetched).toBe(0);
      expect(await Promise.all(Array.from({ length: 8 }, () => get(app, 'a')))).toEqual(Array(8).fill(200));
      expect(fetched).toBe(1);
    });

    test('is fetched again for an unknown key ID, after the cooldown', async () => {
      const app = await launch({ jwksUri: uri() });
      expect(await get(app, 'a')).toBe(200);
      serve(publicJwk(EC.publicKey, { kid: 'a' }), publicJwk(OTHER_EC.publicKey, { kid: 'b' }));
      for (let round = 0; round < 20; round++) expect(await get(app, `x${round}`)).toBe(401);
      expect(await get(app, 'b', OTHER_EC.privateKey)).toBe(401);
      expect(fetched).toBe(1);
      app.clock.advance(30_000);
      expect(await get(app, 'b', OTHER_EC.privateKey)).toBe(200);
      expect(await get(app, 'y')).toBe(401);
      expect(fetched).toBe(2);
    });

    test('rejects cached tokens of a withdrawn key after its maximum age', async () => {
      const app = await launch({ jwksUri: uri() });
      const headers = bearer(await sign({ header: { kid: 'a' }, claims: { exp: NOW_S + 840 } }));
      expect((await app.send('/me', { headers })).status).toBe(200);
      serve(publicJwk(OTHER_EC.publicKey, { kid: 'b' }));
      app.clock.advance(599_000);
      expect((await app.send('/me', { headers })).status).toBe(200);
      app.clock.advance(2_000);
      expect((await app.send('/me', { headers })).status).toBe(401);
    });

    test('is used for an hour while the issuer does not answer; then requests get 503', async () => {
      const app = await launch({ jwksUri: uri() });
      expect(await get(app, 'a')).toBe(200);
      answer = () => ({ status: 500, body: '' });
      app.clock.advance(1_800_000);
      expect(await get(app, 'a')).toBe(200);
      expect(await get(app, 'a')).toBe(200);
      expect(app.logger.find('The token keys cannot be read', 'warn')).toHaveLength(1);
      app.clock.advance(2_400_000);
      expect(await get(app, 'a')).toBe(503);
      serve(publicJwk(EC.publicKey, { kid: 'a' }));
      app.clock.advance(2_000);
      expect(await get(app, 'a')).toBe(200);
      expect(app.logger.find('can be read again', 'warn')).toHaveLength(1);
    });

    type Row = [title: string, answer: () => ReturnType<typeof answer>];
    const ec = publicJwk(EC.publicKey, { kid: 'a' });
    const bad: Row[] = [
      ['a redirect', () => ({ status: 302, headers: { Location: '/elsewhere' }, body: '' })],
      ['no JSON', () => ({ body: '<html>' })],
      ['no set', () => ({ body: JSON.stringify(ec) })],
      ['too many bytes', () => ({ body: JSON.stringify({ keys: [ec], x: 'x'.repeat(300_000) }) })],
      ['too many keys', () => ({ body: JSON.stringify({ keys: Array(101).fill(ec) }) })],
    ];
    it.each(bad)('is rejected: %s', async (_what, give) => {
      answer = give;
      const app = await launch({ jwksUri: uri() });
      const rejection = await app.send('/me', { headers: bearer(await sign({ header: { kid: 'a' } })) });
      expect([rejection.status, rejection.json().code]).toEqual([503, 'identity_unavailable']);
    });

    test('is used without its unsupported keys', async () => {
      serve(
        7,
        { kty: 'oct', k: 'c2VjcmV0', kid: 'a' },
        { kty: 'XX', kid: 'a' },
        publicJwk(RSA.publicKey, { kid: 'a', use: 'enc' }),
        publicJwk(EC.publicKey, { kid: 'a' }),
        publicJwk(EC.publicKey, { kid: 'twice' }),
        publicJwk(OTHER_EC.publicKey, { kid: 'twice' }),
      );
      const app = await launch({ jwksUri: uri() });
      expect(await get(app, 'a')).toBe(200);
      expect(await get(app, 'twice')).toBe(401);
    });
  });
});
