/* The token endpoint over HTTP: every response, and the end of tokens. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Controller, Get, VersioningType } from '@nestjs/common';
import { decodeJwt, decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import {
  type Agent,
  type AuthOptions,
  CurrentAgent,
  revokeKey,
  Scopes,
  setAgentDisabled,
  type TokenEndpointOptions,
} from '../../src/index.js';
import type { Answer, HeaderLine, RequestOptions } from '../support/http.js';
import { createApiKey, NOW_MS, SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get('me')
  me(@CurrentAgent() agent: Agent): object {
    return agent;
  }

  @Get('write')
  @Scopes('data:write')
  write(): string {
    return 'written';
  }
}

const ISSUER = 'https://api.example.com';
const JOBS = 'https://api.example.com/jobs';
const FORM = 'application/x-www-form-urlencoded';
const GRANT = 'grant_type=client_credentials';
const BASIC = 'Basic realm="api", charset="UTF-8"';

const jwk = (key: KeyObject, more: object): Record<string, unknown> => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});
const makeKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const [FIRST, SECOND] = [makeKey(), makeKey()];
const NOW_S = NOW_MS / 1_000;

const basic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

describe.each(PLATFORMS)('%s', (_title, platform) => {
  let keys: TestKeys;
  let key: string;
  let keyId: string;
  beforeEach(() => {
    keys = new TestKeys();
    ({ key, id: keyId } = keys.add('bot-1', {
      scopes: ['data:read', 'data:write'],
      tier: 'gold',
      tenant: 'acme',
      tools: ['read_*'],
    }));
  });

  const launch = (
    endpoint: Partial<TokenEndpointOptions> = {},
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
          apiKeys: { store: keys.store, secret: SECRET },
          tokenEndpoint: {
            issuer: ISSUER,
            resources: [ISSUER, JOBS],
            ...(endpoint.signingKeys === undefined && endpoint.insecureEphemeralKey === undefined
              ? { signingKeys: FIRST }
              : {}),
            ...endpoint,
          },
          ...auth,
        },
      },
    });

  const own = (): Record<string, string> => ({ Authorization: basic('bot-1', key) });
  const requestToken = (
    app: RunningApp,
    body = GRANT,
    headers: Record<string, string> = own(),
    more: Partial<RequestOptions> = {},
  ): Promise<Answer> =>
    app.send('/oauth/token', {
      method: 'POST',
      body,
      headers: { 'Content-Type': FORM, ...headers },
      ...more,
    });

  const tokenOf = async (app: RunningApp, body = GRANT): Promise<string> => {
    const answer = await requestToken(app, body);
    expect([answer.status, answer.body]).toEqual([200, expect.any(String)]);
    return answer.json().access_token as string;
  };

  test('issues a token for a key, with the same agent', async () => {
    const app = await launch();
    const answer = await requestToken(app);
    expect(answer.status).toBe(200);
    expect(answer.header('Content-Type')).toBe('application/json');
    expect(answer.header('Cache-Control')).toBe('no-store');
    expect(answer.header('Pragma')).toBe('no-cache');
    expect(answer.header('X-Content-Type-Options')).toBe('nosniff');
    expect(answer.header('X-RateLimit-Limit')).toBe('60');
    expect(answer.repeated).toEqual([]);
    const { access_token: token, ...rest } = answer.json();
    expect(rest).toEqual({ token_type: 'Bearer', expires_in: 600, scope: 'data:read data:write' });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) });
    const claims = {
      iss: ISSUER,
      sub: 'bot-1',
      client_id: 'bot-1',
      aud: ISSUER,
      iat: NOW_S,
      exp: NOW_S + 600,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      scope: 'data:read data:write',
      tier: 'gold',
      tenant: 'acme',
      tools: ['read_*'],
      key_id: keyId,
    };
    expect(decodeJwt(token)).toEqual(claims);
    const me = await app.send('/me', { headers: bearer(token) });
    expect(me.json()).toEqual({
      id: 'bot-1',
      kind: 'token',
      scopes: ['data:read', 'data:write'],
      tier: 'gold',
      tenant: 'acme',
      tools: ['read_*'],
      claims,
    });
  });

  test('accepts the agent ID or the key ID as the client ID, in the header or in the body', async () => {
    const app = await launch();
    const secret = encodeURIComponent(key);
    const ways: [string, Record<string, string>][] = [
      [GRANT, { Authorization: basic(keyId, key) }],
      [GRANT, { Authorization: basic('bot%2D1', key) }],
      [`${GRANT}&client_id=bot-1`, { Authorization: basic('bot-1', key) }],
      [`${GRANT}&client_id=bot-1&client_secret=${secret}`, {}],
      [`${GRANT}&client_id=${keyId}&client_secret=${secret}&unknown=1&scope=`, {}],
    ];
    for (const [body, headers] of ways) expect((await requestToken(app, body, headers)).status).toBe(200);
  });

  describe('errors', () => {
    type Row = [
      title: string,
      expected: readonly [status: number, error: string, challenge?: string],
      body: string | ((key: string) => string),
      headers?: (key: string) => Record<string, string> | readonly HeaderLine[],
      more?: Partial<RequestOptions>,
    ];
    const invalidClient = [401, 'invalid_client', BASIC] as const;
    const invalidRequest = [400, 'invalid_request'] as const;
    const good = (secret: string): Record<string, string> => ({ Authorization: basic('bot-1', secret) });
    const none = (): Record<string, string> => ({});
    const rows: Row[] = [
      ['no client', invalidClient, GRANT, none],
      ['a client without its secret', invalidClient, `${GRANT}&client_id=bot-1`, none],
      ['a secret without its client', invalidClient, secret => `${GRANT}&client_secret=${secret}`, none],
      ['an unknown key', invalidClient, GRANT, () => good(createApiKey('ask').text)],
      ['another agent’s name', invalidClient, GRANT, secret => ({ Authorization: basic('bot-2', secret) })],
      ['a secret that is no key', invalidClient, GRANT, () => good('hunter2')],
      ['a scheme that is not Basic', invalidClient, GRANT, secret => bearer(secret)],
      ['Basic that is no base64', invalidClient, GRANT, () => ({ Authorization: 'Basic %%%' })],
      ['Basic without a colon', invalidClient, GRANT, () => ({ Authorization: 'Basic Ym90' })],
      ['a signed assertion', invalidClient, `${GRANT}&client_assertion=a.b.c&client_id=bot-1`, none],
      ['the header and the body', invalidRequest, secret => `${GRANT}&client_secret=${secret}`, good],
      ['two names', invalidRequest, `${GRANT}&client_id=bot-2`, good],
      ['no grant type', invalidRequest, 'scope=data:read', good],
      ['an empty body', invalidRequest, '', good],
      ['a grant type without a value', invalidRequest, 'grant_type=', good],
      ['a parameter twice', invalidRequest, `${GRANT}&${GRANT}`, good],
      ['a parameter twice, once empty', invalidRequest, `grant_type=&${GRANT}`, good],
      [
        'a parameter twice, in other spellings',
        invalidRequest,
        `${GRANT}&gr%61nt_type=client_credentials`,
        good,
      ],
      ['an unknown parameter twice', invalidRequest, `${GRANT}&a=1&a=2`, good],
      ['escapes that are none', invalidRequest, `${GRANT}&scope=%zz`, good],
      ['bytes that are no text', invalidRequest, `${GRANT}&scope=%ff`, good],
      [
        'forty parameters',
        invalidRequest,
        `${GRANT}${Array.from({ length: 40 }, (_each, index) => `&a${index}=1`).join('')}`,
        good,
      ],
      [
        'JSON',
        invalidRequest,
        '{"grant_type":"client_credentials"}',
        secret => ({ ...good(secret), 'Content-Type': 'application/json' }),
      ],
      ['no Content-Type', invalidRequest, GRANT, secret => [['Authorization', basic('bot-1', secret)]]],
      [
        'a compressed body',
        invalidRequest,
        GRANT,
        secret => ({ ...good(secret), 'Content-Encoding': 'gzip' }),
      ],
      ['a long body', [413, 'invalid_request'], `${GRANT}&a=${'x'.repeat(9_000)}`, good],
      [
        'the password grant',
        [400, 'unsupported_grant_type'],
        'grant_type=password&username=a&password=b',
        good,
      ],
      [
        'the password grant without a client',
        [400, 'unsupported_grant_type'],
        'grant_type=password&username=a&password=b',
        none,
      ],
      ['a refresh token', [400, 'unsupported_grant_type'], 'grant_type=refresh_token&refresh_token=x', good],
      [
        'a grant type in another case',
        [400, 'unsupported_grant_type'],
        'grant_type=Client_Credentials',
        good,
      ],
      ['a scope that the agent lacks', [400, 'invalid_scope'], `${GRANT}&scope=data:read+admin`, good],
      ['scopes with two spaces', [400, 'invalid_scope'], `${GRANT}&scope=data:read++data:write`, good],
      ['a scope with a quote', [400, 'invalid_scope'], `${GRANT}&scope=%22`, good],
      [
        'a resource that is not listed',
        [400, 'invalid_target'],
        `${GRANT}&resource=https://other.example`,
        good,
      ],
      [
        'one resource of several',
        [400, 'invalid_target'],
        `${GRANT}&resource=${ISSUER}&resource=${ISSUER}/`,
        good,
      ],
      ['GET', [405, 'invalid_request'], '', good, { method: 'GET', body: undefined as never }],
      ['PUT', [405, 'invalid_request'], GRANT, good, { method: 'PUT' }],
      ['a query', invalidRequest, GRANT, good, { path: '/oauth/token?x=1' } as object],
    ];
    it.each(rows)('%s', async (...[, expected, body, headers = good, more = {}]) => {
      const app = await launch();
      const given = headers(key);
      const { path = '/oauth/token', ...rest } = more as Partial<RequestOptions>;
      const answer = await app.send(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : body(encodeURIComponent(key)),
        headers: Array.isArray(given) ? given : { 'Content-Type': FORM, ...given },
        ...rest,
      });
      const [status, error, challenge] = expected;
      expect([answer.status, answer.json(), answer.header('WWW-Authenticate')]).toEqual([
        status,
        { error, error_description: expect.stringMatching(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/) },
        challenge,
      ]);
      expect(answer.header('Content-Type')).toBe('application/json');
      expect(answer.header('Cache-Control')).toBe('no-store');
      expect(answer.header('Pragma')).toBe('no-cache');
      expect(answer.repeated).toEqual([]);
      expect(answer.body).not.toContain(key);
      expect(app.logger.text).not.toContain(key);
    });

    test('rejects a credential in the query', async () => {
      const app = await launch();
      const answer = await app.send(`/oauth/token?token=${key}`, { method: 'POST', body: GRANT });
      expect([answer.status, answer.json().code]).toEqual([400, 'credential_in_url']);
    });

    test('rejects a chunked body that is too large', async () => {
      const app = await launch();
      const answer = await app.send('/oauth/token', {
        method: 'POST',
        headers: { 'Content-Type': FORM, Authorization: basic('bot-1', key) },
        body: [GRANT, ...Array.from({ length: 20 }, (_each, index) => `&a${index}=${'x'.repeat(1_000)}`)],
      });
      expect([answer.status, answer.json().error, answer.header('Connection')]).toEqual([
        413,
        'invalid_request',
        'close',
      ]);
    });
  });

  test('answers Expect: 100-continue', async () => {
    const app = await launch();
    const answer = await requestToken(app, GRANT, {
      Authorization: basic('bot-1', key),
      Expect: '100-continue',
    });
    expect(answer.status).toBe(200);
  });

  test('issues the requested scopes', async () => {
    const app = await launch();
    const answer = await requestToken(app, `${GRANT}&scope=data:read`);
    expect(answer.json().scope).toBe('data:read');
    const headers = bearer(answer.json().access_token);
    const rejected = await app.send('/write', { headers });
    expect([rejected.status, rejected.json().code]).toEqual([403, 'insufficient_scope']);
    expect(rejected.header('WWW-Authenticate')).toBe(
      'Bearer realm="api", error="insufficient_scope", scope="data:write", ' +
        'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"',
    );
  });

  test('issues no more scopes than the key has', async () => {
    const { key: narrow } = keys.add('bot-1', {}, { scopes: ['data:read'] });
    const app = await launch();
    const headers = { Authorization: basic('bot-1', narrow) };
    expect((await requestToken(app, GRANT, headers)).json().scope).toBe('data:read');
    expect((await requestToken(app, `${GRANT}&scope=data:write`, headers)).json().error).toBe(
      'invalid_scope',
    );
  });

  test('issues the requested audience', async () => {
    const app = await launch();
    const jobs = decodeJwt(await tokenOf(app, `${GRANT}&resource=${encodeURIComponent(JOBS)}`));
    expect(jobs.aud).toBe(JOBS);
    const both = decodeJwt(
      await tokenOf(app, `${GRANT}&resource=${ISSUER}&resource=${encodeURIComponent(JOBS)}`),
    );
    expect(both.aud).toEqual([ISSUER, JOBS]);
  });

  describe('tokens are accepted for this API only', () => {
    const BILLING = 'https://billing.example.net';
    const grantFor = (...resources: string[]): string =>
      [GRANT, ...resources.map(name => `resource=${encodeURIComponent(name)}`)].join('&');
    type Row = [title: string, resource: string | undefined, requested: string[], status: number];
    const rows: Row[] = [
      ['one for another API is rejected', ISSUER, [BILLING], 401],
      ['one for another path of the same host is rejected', ISSUER, [JOBS], 401],
      ['one for two other APIs is rejected', ISSUER, [BILLING, JOBS], 401],
      ['one for this API is accepted', ISSUER, [ISSUER], 200],
      ['one for this API among others is accepted', ISSUER, [BILLING, ISSUER], 200],
      ['one for its issuer, where that is not this API, is rejected', JOBS, [ISSUER], 401],
      ['one for a path is accepted where that is this API', JOBS, [JOBS], 200],
      ['without auth.resource, the first of the resources is this API', undefined, [BILLING], 200],
      ['without auth.resource, the others are not', undefined, [ISSUER], 401],
    ];
    it.each(rows)('%s', async (...[, resource, names, status]) => {
      const app = await launch({ resources: [BILLING, ISSUER, JOBS] }, resource ? { resource } : {});
      const token = await tokenOf(app, grantFor(...names));
      expect([decodeJwt(token).aud].flat()).toEqual(names);
      const answer = await app.send('/me', { headers: bearer(token) });
      expect([answer.status, answer.json().code]).toEqual([
        status,
        status === 200 ? undefined : 'invalid_token',
      ]);
    });

    it('describes no other API', async () => {
      const app = await launch({ resources: [BILLING, ISSUER, JOBS] }, { resource: ISSUER });
      const path = '/.well-known/oauth-protected-resource';
      expect((await app.send(path)).json().resource).toBe(ISSUER);
      expect((await app.send(`${path}/jobs`)).status).not.toBe(200);
    });
  });

  describe('a token ends', () => {
    test('at its expiry', async () => {
      const app = await launch({ lifetime: '5 minutes' });
      const headers = bearer(await tokenOf(app));
      app.clock.advance(299_000);
      expect((await app.send('/me', { headers })).status).toBe(200);
      app.clock.advance(7_000);
      const answer = await app.send('/me', { headers });
      expect([answer.status, answer.json().code, answer.header('X-Token-Expired')]).toEqual([
        401,
        'invalid_token',
        'true',
      ]);
      expect((await app.send('/me', { headers: bearer(await tokenOf(app)) })).status).toBe(200);
    });

    test('at the expiry of its key', async () => {
      const { key: short } = keys.add('bot-1', {}, { expiresMs: NOW_MS + 90_000 });
      const app = await launch();
      const answer = await requestToken(app, GRANT, { Authorization: basic('bot-1', short) });
      expect(answer.json().expires_in).toBe(90);
    });

    const ends: [title: string, end: () => void][] = [
      ['the switch of its agent', () => keys.set(setAgentDisabled(keys.book, 'bot-1', true))],
      ['its key, revoked', () => keys.set(revokeKey(keys.book, keyId, NOW_MS))],
      ['its agent, gone', () => keys.set({ agents: {}, keys: [] })],
    ];
    it.each(ends)('at once, and no more are issued, after %s', async (_ended, end) => {
      const app = await launch();
      const headers = bearer(await tokenOf(app));
      expect((await app.send('/me', { headers })).status).toBe(200);
      end();
      expect((await app.send('/me', { headers })).status).toBe(401);
      expect((await requestToken(app)).json().error).toBe('invalid_client');
    });
  });

  describe('limits', () => {
    test('apply per client, across its keys', async () => {
      const app = await launch({ limit: '2/minute' });
      const { key: other } = keys.add('bot-1');
      expect((await requestToken(app)).header('X-RateLimit-Remaining')).toBe('1');
      expect((await requestToken(app, GRANT, { Authorization: basic('bot-1', other) })).status).toBe(200);
      const answer = await requestToken(app);
      expect([answer.status, answer.json().error]).toEqual([429, 'temporarily_unavailable']);
      expect(Number(answer.header('Retry-After'))).toBeGreaterThan(0);
      app.clock.advance(60_000);
      expect((await requestToken(app)).status).toBe(200);
    });

    test('count failed attempts and reject no valid key', async () => {
      const app = await launch({}, { failedAttempts: '2/minute' });
      const bad = { Authorization: basic('bot-1', createApiKey('ask').text) };
      expect((await requestToken(app, GRANT, bad)).status).toBe(401);
      expect((await app.send('/me', { headers: bearer('unknown') })).status).toBe(401);
      const answer = await requestToken(app, GRANT, bad);
      expect([answer.status, answer.json().error]).toEqual([429, 'temporarily_unavailable']);
      expect(Number(answer.header('Retry-After'))).toBeGreaterThan(0);
      expect((await requestToken(app)).status).toBe(200);
    });
  });

  describe('metadata', () => {
    const server = {
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/oauth/authorize`,
      token_endpoint: `${ISSUER}/oauth/token`,
      jwks_uri: `${ISSUER}/.well-known/jwks.json`,
      grant_types_supported: ['client_credentials'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      protected_resources: [ISSUER, JOBS],
    };
    const resource = (name: string): object => ({
      resource: name,
      authorization_servers: [ISSUER],
      bearer_methods_supported: ['header'],
    });
    const rows: [path: string, expected: unknown][] = [
      ['/.well-known/oauth-authorization-server', server],
      ['/.well-known/oauth-protected-resource', resource(ISSUER)],
    ];
    it.each(rows)('%s', async (path, expected) => {
      const app = await launch({}, {}, { options: { cors: { origins: ['https://app.example.com'] } } });
      const answer = await app.send(path, { headers: { Origin: 'https://app.example.com' } });
      expect([answer.status, answer.json()]).toEqual([200, expected]);
      expect(answer.header('Content-Type')).toBe('application/json');
      expect(answer.header('Cache-Control')).toBe('public, max-age=300');
      expect(answer.header('Access-Control-Allow-Origin')).toBe('https://app.example.com');
      expect(answer.header('Vary')).toBe('Origin');
      expect(answer.repeated).toEqual([]);
      const head = await app.send(path, { method: 'HEAD' });
      expect([head.status, head.body, head.header('Content-Length')]).toEqual([
        200,
        '',
        String(answer.body.length),
      ]);
      const posted = await app.send(path, { method: 'POST', body: '{}' });
      expect([posted.status, posted.header('Allow')]).toEqual([405, 'GET, HEAD']);
    });

    const PREFLIGHT = {
      'Access-Control-Request-Method': 'GET',
      'Access-Control-Request-Headers': 'mcp-protocol-version',
    };
    it.each([
      ['with a list of origins', { cors: { origins: ['https://app.example.com'], credentials: true } }],
      ['without a list', {}],
      ['without cors', { cors: false as const }],
    ])('is readable for pages of every origin, %s', async (_what, options) => {
      const app = await launch({}, {}, { options });
      for (const path of [...rows.map(([each]) => each), '/.well-known/jwks.json']) {
        for (const Origin of ['https://client.example', 'null']) {
          const headers = { Origin, 'Sec-Fetch-Site': 'cross-site' };
          const preflight = await app.send(path, {
            method: 'OPTIONS',
            headers: { ...headers, ...PREFLIGHT },
          });
          expect([preflight.status, preflight.body]).toEqual([204, '']);
          expect(preflight.header('Access-Control-Allow-Methods')).toBe('GET, HEAD');
          expect(preflight.header('Access-Control-Allow-Headers')).toBe('*');
          const answer = await app.send(path, { headers });
          expect(answer.status).toBe(200);
          expect(answer.header('Cross-Origin-Resource-Policy')).toBe('cross-origin');
          for (const each of [preflight, answer]) {
            expect(each.header('Access-Control-Allow-Origin')).toBe('*');
            expect(each.header('Access-Control-Allow-Credentials')).toBeUndefined();
            expect(each.repeated).toEqual([]);
          }
        }
      }
    });

    test('opens no other path to pages of every origin', async () => {
      const app = await launch({}, {}, { options: { cors: { origins: ['https://app.example.com'] } } });
      const headers = { Origin: 'https://client.example', ...PREFLIGHT };
      for (const path of ['/me', '/oauth/token', '/.well-known/other'])
        expect((await app.send(path, { method: 'OPTIONS', headers })).status).toBe(403);
    });

    test('of an issuer with a path is served at both paths', async () => {
      const app = await launch({ issuer: `${ISSUER}/tenant-1` });
      for (const path of ['', '/tenant-1']) {
        const answer = await app.send(`/.well-known/oauth-authorization-server${path}`);
        expect(answer.json()).toMatchObject({
          issuer: `${ISSUER}/tenant-1`,
          authorization_endpoint: `${ISSUER}/oauth/authorize`,
          token_endpoint: `${ISSUER}/oauth/token`,
        });
      }
    });

    test.each(['/mcp', '/mcp/', '/mcp?x=1', '/mcp/?x=1'])(
      'of the resource %s is served at the URL that the challenge names',
      async path => {
        const app = await launch({ resources: `${ISSUER}${path}` });
        const challenge = (await app.send('/me')).header('WWW-Authenticate') ?? '';
        const [, named = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
        expect(named.startsWith(`${ISSUER}/.well-known/oauth-protected-resource/mcp`)).toBe(true);
        const answer = await app.send(named.slice(ISSUER.length));
        expect([answer.status, answer.json().resource]).toEqual([200, `${ISSUER}${path}`]);
      },
    );

    test('is served without prefix, version and guards of the app', async () => {
      const app = await launch(
        { path: '/token' },
        {},
        {
          configure: nest => {
            nest.setGlobalPrefix('api');
            nest.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
          },
        },
      );
      for (const [path] of rows) expect((await app.send(path)).status).toBe(200);
      const answer = await app.send('/token', {
        method: 'POST',
        body: GRANT,
        headers: { 'Content-Type': FORM, Authorization: basic('bot-1', key) },
      });
      expect(answer.status).toBe(200);
      const headers = bearer(answer.json().access_token);
      expect((await app.send('/api/v1/me', { headers })).status).toBe(200);
    });
  });

  describe('signing keys', () => {
    const published = async (app: RunningApp): Promise<{ keys: Record<string, unknown>[] }> => {
      const answer = await app.send('/.well-known/jwks.json');
      expect(answer.header('Content-Type')).toBe('application/jwk-set+json');
      expect(answer.header('Cache-Control')).toBe('public, max-age=300');
      return answer.json();
    };

    test('are published without the private key, and verify tokens', async () => {
      const app = await launch();
      const { keys: set } = await published(app);
      expect(set).toEqual([
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          kid: expect.any(String),
          alg: 'ES256',
          use: 'sig',
        },
      ]);
      const { payload } = await jwtVerify(await tokenOf(app), await importJWK(set[0]!), {
        issuer: ISSUER,
        audience: ISSUER,
        typ: 'at+jwt',
        currentDate: new Date(NOW_MS),
      });
      expect(payload.sub).toBe('bot-1');
    });

    test('can be rotated while tokens are in use', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'signing-'));
      const file = join(folder, 'keys.json');
      const write = (...set: unknown[]): void => writeFileSync(file, JSON.stringify({ keys: set }));
      const first = jwk(FIRST, { kid: 'first', iat: NOW_S });
      const second = jwk(SECOND, { kid: 'second', iat: NOW_S + 10, nbf: NOW_S + 60 });
      const kidOf = async (app: RunningApp): Promise<unknown> =>
        decodeProtectedHeader(await tokenOf(app)).kid;
      const kids = async (app: RunningApp): Promise<unknown[]> =>
        (await published(app)).keys.map(({ kid }) => kid);
      try {
        write(first);
        const app = await launch({ signingKeys: { file } });
        const old = bearer(await tokenOf(app));

        // Published first, so that everybody has it before it signs.
        write(first, second);
        app.clock.advance(10_001);
        expect([await kids(app), await kidOf(app)]).toEqual([['first', 'second'], 'first']);
        app.clock.advance(50_000);
        expect([await kids(app), await kidOf(app)]).toEqual([['first', 'second'], 'second']);
        const young = bearer(await tokenOf(app));
        expect((await app.send('/me', { headers: old })).status).toBe(200);
        expect((await app.send('/me', { headers: young })).status).toBe(200);

        // A file in the middle of a change leaves the last good keys.
        writeFileSync(file, '{"keys":');
        app.clock.advance(10_001);
        expect([await kids(app), await kidOf(app)]).toEqual([['first', 'second'], 'second']);
        expect(app.logger.find('The token keys cannot be read', 'warn')).toHaveLength(1);

        write(second);
        app.clock.advance(10_001);
        expect(await kids(app)).toEqual(['second']);
        expect((await app.send('/me', { headers: old })).status).toBe(401);
        expect((await app.send('/me', { headers: young })).status).toBe(200);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    test('are not used after their exp', async () => {
      const first = jwk(FIRST, { kid: 'first', iat: NOW_S + 1, exp: NOW_S + 120 });
      const app = await launch({
        signingKeys: { keys: [jwk(SECOND, { kid: 'second', iat: NOW_S }), first] as never },
      });
      const answer = await requestToken(app);
      expect(answer.json().expires_in).toBe(120);
      expect((await published(app)).keys).toHaveLength(2);
      app.clock.advance(121_000);
      expect((await published(app)).keys.map(({ kid }) => kid)).toEqual(['second']);
      expect((await app.send('/me', { headers: bearer(answer.json().access_token) })).status).toBe(401);
      expect((await app.send('/me', { headers: bearer(await tokenOf(app)) })).status).toBe(200);
    });

    test('are read from a function repeatedly', async () => {
      let current: KeyObject = FIRST;
      const app = await launch({ signingKeys: () => Promise.resolve(current as never) });
      const old = await tokenOf(app);
      current = SECOND;
      app.clock.advance(10_001);
      expect((await app.send('/me', { headers: bearer(old) })).status).toBe(401);
    });

    test('issue no token while none is valid', async () => {
      const app = await launch({ signingKeys: jwk(FIRST, { nbf: NOW_S + 60 }) });
      const answer = await requestToken(app);
      expect([answer.status, answer.json().error, answer.header('Retry-After')]).toEqual([
        503,
        'temporarily_unavailable',
        '1',
      ]);
    });

    test('may be ephemeral', async () => {
      const [one, two] = [
        await launch({ insecureEphemeralKey: true }),
        await launch({ insecureEphemeralKey: true }),
      ];
      const headers = bearer(await tokenOf(one));
      expect((await one.send('/me', { headers })).status).toBe(200);
      expect((await two.send('/me', { headers })).status).toBe(401);
    });
  });

  test('answers 503 if the store fails', async () => {
    const store = { find: () => Promise.reject(new Error('down')) };
    const app = await launch({}, { apiKeys: { store, secret: SECRET } });
    const answer = await requestToken(app);
    expect([answer.status, answer.json().error]).toEqual([503, 'temporarily_unavailable']);
  });
});
