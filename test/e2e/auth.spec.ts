/* Authentication and authorization over HTTP: every response. */
import { Controller, Get, Post, UnauthorizedException, UseGuards } from '@nestjs/common';
import {
  type Agent,
  AnyScope,
  AuthGuard,
  type AuthOptions,
  CurrentAgent,
  Public,
  RateLimit,
  revokeKey,
  Scopes,
  SecurityEvents,
  type SecurityEvent,
  setAgentDisabled,
} from '../../src/index.js';
import type { Answer, HeaderLine } from '../support/http.js';
import { exchange } from '../support/http.js';
import { createApiKey, NOW_MS, SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get('me')
  me(@CurrentAgent() agent: Agent): object {
    return { ...agent, frozen: Object.isFrozen(agent) && Object.isFrozen(agent.scopes) };
  }

  @Get('open')
  @Public()
  open(@CurrentAgent() agent: Agent | undefined): object {
    return { id: agent?.id ?? null };
  }

  @Get('both')
  @Scopes('data:read', 'data:write')
  both(): string {
    return 'both';
  }

  @Get('either')
  @AnyScope('admin', 'data:read')
  either(): string {
    return 'either';
  }

  @Post('limited')
  @RateLimit('2/minute')
  limited(): string {
    return 'limited';
  }
}

@Controller('inherited')
@Scopes('admin')
class Inherited {
  @Get('class')
  own(): string {
    return 'class';
  }

  @Get('handler')
  @Scopes('data:read')
  handler(): string {
    return 'handler';
  }

  @Get('public')
  @Public()
  public(): string {
    return 'public';
  }
}

@Controller('doors')
@Public()
class Doors {
  @Get('open')
  open(): string {
    return 'open';
  }

  @Get('closed')
  @Public(false)
  closed(): string {
    return 'closed';
  }

  @Get('scoped')
  @Scopes('data:read')
  scoped(): string {
    return 'scoped';
  }
}

const CHALLENGE = 'Bearer realm="api"';
const INVALID = `${CHALLENGE}, error="invalid_token", error_description="The credential is not valid."`;
const EXPIRED = `${CHALLENGE}, error="invalid_token", error_description="The credential has expired."`;

const bearer = (key: string): Record<string, string> => ({ Authorization: `Bearer ${key}` });
const rejection = (answer: Answer): unknown[] => [
  answer.status,
  answer.json().code,
  answer.header('WWW-Authenticate'),
];

describe.each(PLATFORMS)('%s', (_title, platform) => {
  let keys: TestKeys;
  beforeEach(() => {
    keys = new TestKeys();
  });

  const launch = (auth: Partial<AuthOptions> = {}, parts: AppParts = {}): Promise<RunningApp> =>
    start(platform, {
      controllers: [Routes, Inherited, Doors],
      ...parts,
      options: {
        rateLimit: { limits: '1000/minute' },
        ...parts.options,
        auth: { apiKeys: { store: keys.store, secret: SECRET }, ...auth },
      },
    });

  const agent = {
    scopes: ['data:read'],
    tier: 'free',
    tenant: 'acme',
    tools: ['read_*'],
    claims: { team: 7 },
  };

  test('authenticates the agent of a key in either header', async () => {
    const { key, id } = keys.add('billing-bot', agent);
    const app = await launch();
    const expected = {
      id: 'billing-bot',
      kind: 'api-key',
      scopes: ['data:read'],
      tier: 'free',
      tenant: 'acme',
      tools: ['read_*'],
      claims: { team: 7, key_id: id },
      frozen: true,
    };
    for (const headers of [{ 'X-API-Key': key }, bearer(key), { authorization: `bearer ${key}` }]) {
      const answer = await app.send('/me', { headers: headers as Record<string, string> });
      expect([answer.status, answer.json()]).toEqual([200, expected]);
      expect(answer.header('WWW-Authenticate')).toBeUndefined();
    }
  });

  describe('rejections', () => {
    type Row = [title: string, headers: (key: string) => HeaderLine[], expected: unknown[]];
    const missing = [401, 'credential_missing', CHALLENGE];
    const invalid = [401, 'invalid_token', INVALID];
    const ambiguous = [400, 'credential_ambiguous', undefined];
    // Rejected before any check reads a credential.
    const repeated = [400, 'header_repeated', undefined];
    const other = createApiKey('ask').text;
    const rows: Row[] = [
      ['no credential', () => [], missing],
      ['a scheme that is not ours', () => [['Authorization', 'Basic dTpw']], missing],
      ['an empty Authorization', () => [['Authorization', '']], missing],
      ['a scheme alone', () => [['Authorization', 'Bearer']], missing],
      ['two tokens on a line', key => [['Authorization', `Bearer ${key} ${key}`]], invalid],
      ['a key followed by a comma', key => [['X-API-Key', `${key}, ${key}`]], invalid],
      ['an empty X-API-Key', () => [['X-API-Key', '']], invalid],
      ['a key with a typo', key => [['X-API-Key', `${key.slice(0, -1)}!`]], invalid],
      ['a key with one character changed', key => [['X-API-Key', flip(key, 30)]], invalid],
      ['a key of an unknown ID', () => [['X-API-Key', other]], invalid],
      ['the ID of a key with another secret', key => [['X-API-Key', forge(key)]], invalid],
      ['a token where none are taken', () => [['Authorization', 'Bearer eyJhbGciOiJub25lIn0.e30.']], missing],
      ['a DPoP token where none are taken', key => [['Authorization', `DPoP ${key}`]], missing],
      [
        'two Authorization lines',
        key => [
          ['Authorization', `Bearer ${key}`],
          ['Authorization', `Bearer ${other}`],
        ],
        repeated,
      ],
      [
        'the same line twice',
        key => [
          ['Authorization', `Bearer ${key}`],
          ['authorization', `Bearer ${key}`],
        ],
        repeated,
      ],
      [
        'two X-API-Key lines',
        key => [
          ['X-API-Key', key],
          ['x-api-key', other],
        ],
        repeated,
      ],
      [
        'both headers',
        key => [
          ['X-API-Key', key],
          ['Authorization', `Bearer ${key}`],
        ],
        ambiguous,
      ],
    ];

    it.each(rows)('%s', async (_row, headers, expected) => {
      const { key } = keys.add('billing-bot', agent);
      const app = await launch();
      const answer = await app.send('/me', { headers: headers(key) });
      expect(rejection(answer)).toEqual(expected);
      expect(answer.header('Content-Type')).toBe('application/problem+json');
      expect(answer.header('Cache-Control')).toBe('no-store');
      expect(answer.header('X-Token-Expired')).toBeUndefined();
      for (const secret of [key, other, SECRET]) {
        expect(answer.body).not.toContain(secret);
        expect(app.logger.text).not.toContain(secret);
      }
    });

    test('rejects a revoked key, and a key of a disabled agent, from the next request on', async () => {
      const { key, id } = keys.add('billing-bot', agent);
      const app = await launch();
      const status = async (): Promise<unknown[]> =>
        rejection(await app.send('/me', { headers: { 'X-API-Key': key } }));
      expect((await app.send('/me', { headers: { 'X-API-Key': key } })).status).toBe(200);
      keys.set(setAgentDisabled(keys.book, 'billing-bot', true));
      expect(await status()).toEqual(invalid);
      keys.set(setAgentDisabled(keys.book, 'billing-bot', false));
      expect((await app.send('/me', { headers: { 'X-API-Key': key } })).status).toBe(200);
      keys.set(revokeKey(keys.book, id, NOW_MS));
      expect(await status()).toEqual(invalid);
    });

    test('rejects a key before notBefore and after its expiry', async () => {
      const { key } = keys.add('billing-bot', agent, {
        notBeforeMs: NOW_MS + 1000,
        expiresMs: NOW_MS + 3000,
      });
      const app = await launch();
      const send = (): Promise<Answer> => app.send('/me', { headers: { 'X-API-Key': key } });
      expect(rejection(await send())).toEqual(invalid);
      app.clock.advance(1000);
      expect((await send()).status).toBe(200);
      app.clock.advance(1999);
      expect((await send()).status).toBe(200);
      app.clock.advance(1);
      const answer = await send();
      expect(rejection(answer)).toEqual([401, 'invalid_token', EXPIRED]);
      expect(answer.header('X-Token-Expired')).toBe('true');
    });

    test('does not reveal the expiry of a key to a wrong secret', async () => {
      const { key } = keys.add('billing-bot', agent, { expiresMs: NOW_MS - 1 });
      const app = await launch();
      const answer = await app.send('/me', { headers: { 'X-API-Key': forge(key) } });
      expect([...rejection(answer), answer.header('X-Token-Expired')]).toEqual([...invalid, undefined]);
    });

    it.each(['api_key', 'access_token', 'token', 'TOKEN', 'api%5fkey', 'token[]', 'token%5B0%5D'])(
      'a credential in the URL as %s, on every path, and in no log',
      async name => {
        const { key } = keys.add('billing-bot', agent);
        const app = await launch();
        for (const path of ['/me', '/open', '/nowhere']) {
          const answer = await app.send(`${path}?a=1&${name}=${key}`, { headers: { 'X-API-Key': key } });
          expect(rejection(answer)).toEqual([400, 'credential_in_url', undefined]);
          expect(answer.body).not.toContain(key);
        }
        expect(app.logger.text).not.toContain(key);
      },
    );

    test('accepts a query parameter with a similar name', async () => {
      const { key } = keys.add('billing-bot', agent);
      const app = await launch();
      const answer = await app.send('/me?tokens=3&my_token=1&x=token', { headers: { 'X-API-Key': key } });
      expect(answer.status).toBe(200);
    });

    test('answers 503 if the store fails', async () => {
      const failing = { find: () => Promise.reject(new Error('the vault is sealed')) };
      const app = await launch({ apiKeys: { store: failing, secret: SECRET } });
      const answer = await app.send('/me', { headers: { 'X-API-Key': other } });
      expect([answer.status, answer.json().code, answer.header('Retry-After')]).toEqual([
        503,
        'identity_unavailable',
        '1',
      ]);
      expect(app.logger.find('the vault is sealed', 'error')).toHaveLength(1);
      expect((await app.send('/open')).status).toBe(200);
    });
  });

  test('dup-auth and dup-apikey, byte for byte', async () => {
    const { key } = keys.add('billing-bot', agent);
    const app = await launch();
    const sendLines = async (lines: string): Promise<number> => {
      const { answers } = await exchange(
        app.port,
        `GET /me HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n\r\n`,
        1,
      );
      return answers[0]!.status;
    };
    expect(await sendLines(`Authorization: Bearer ${key}\r\nAuthorization: Bearer evil`)).toBe(400);
    expect(await sendLines(`X-API-Key: ${key}\r\nX-API-Key: evil`)).toBe(400);
    expect(await sendLines(`X-API-Key: ${key}`)).toBe(200);
  });

  describe('scopes', () => {
    const insufficient = (scope: string): unknown[] => [
      403,
      'insufficient_scope',
      `${CHALLENGE}, error="insufficient_scope", scope="${scope}"`,
    ];

    test('requires all of @Scopes() and one of @AnyScope(), and a handler replaces its class', async () => {
      const { key } = keys.add('reader', { scopes: ['data:read'] });
      const app = await launch();
      const send = (path: string): Promise<Answer> => app.send(path, { headers: { 'X-API-Key': key } });
      const both = await send('/both');
      expect(rejection(both)).toEqual(insufficient('data:read data:write'));
      expect(both.json().required_scopes).toEqual(['data:read', 'data:write']);
      expect((await send('/either')).status).toBe(200);
      expect(rejection(await send('/inherited/class'))).toEqual(insufficient('admin'));
      expect((await send('/inherited/handler')).status).toBe(200);
      expect((await app.send('/inherited/public')).status).toBe(200);
      expect((await app.send('/doors/open')).status).toBe(200);
      expect((await app.send('/doors/closed')).status).toBe(401);
      expect((await app.send('/doors/scoped')).status).toBe(401);
      expect((await send('/doors/scoped')).status).toBe(200);
    });

    test('lists all required scopes in the 403', async () => {
      const { key } = keys.add('unscoped', {});
      const app = await launch();
      const answer = await app.send('/either', { headers: { 'X-API-Key': key } });
      expect(rejection(answer)).toEqual(insufficient('admin data:read'));
      expect(answer.json().any_of_scopes).toEqual(['admin', 'data:read']);
    });

    test('a key loses the scopes that its agent loses', async () => {
      const { key } = keys.add(
        'narrow',
        { scopes: ['data:read', 'admin'] },
        { scopes: ['data:read', 'data:write'] },
      );
      const app = await launch();
      const answer = await app.send('/me', { headers: { 'X-API-Key': key } });
      expect(answer.json().scopes).toEqual(['data:read']);
    });

    test('challenges contain realm and resource_metadata', async () => {
      const { key } = keys.add('unscoped', {});
      const app = await launch({ realm: 'agents', resource: 'https://api.example.com/v1' });
      const metadata = 'https://api.example.com/.well-known/oauth-protected-resource/v1';
      const tail = `resource_metadata="${metadata}"`;
      expect((await app.send('/me')).header('WWW-Authenticate')).toBe(`Bearer realm="agents", ${tail}`);
      const answer = await app.send('/either', { headers: { 'X-API-Key': key } });
      expect(answer.header('WWW-Authenticate')).toBe(
        `Bearer realm="agents", error="insufficient_scope", scope="admin data:read", ${tail}`,
      );
    });
  });

  describe('a public route', () => {
    test('authenticates a valid credential and rejects an invalid one', async () => {
      const { key } = keys.add('billing-bot', agent);
      const app = await launch();
      expect((await app.send('/open')).json()).toEqual({ id: null });
      expect((await app.send('/open', { headers: { 'X-API-Key': key } })).json()).toEqual({
        id: 'billing-bot',
      });
      expect((await app.send('/open', { headers: { 'X-API-Key': forge(key) } })).status).toBe(401);
    });
  });

  describe('order and limits', () => {
    test('two agents of one address have separate quotas, and two keys of one agent share one', async () => {
      const [one, again, other] = [keys.add('one'), keys.add('one'), keys.add('other')];
      const app = await launch();
      const post = async ({ key }: { key: string }): Promise<number> =>
        (await app.send('/limited', { method: 'POST', headers: { 'X-API-Key': key } })).status;
      expect([await post(one), await post(again), await post(one), await post(again)]).toEqual([
        201, 201, 429, 429,
      ]);
      expect([await post(other), await post(other), await post(other)]).toEqual([201, 201, 429]);
    });

    test('the tier of the agent selects its limits', async () => {
      const [free, paid, none] = [
        keys.add('free', { tier: 'free' }),
        keys.add('paid', { tier: 'paid' }),
        keys.add('none'),
      ];
      const app = await launch(
        {},
        { options: { rateLimit: { limits: '5/minute', tiers: { free: '1/minute', paid: '9/minute' } } } },
      );
      const limit = async ({ key }: { key: string }): Promise<string | undefined> =>
        (await app.send('/me', { headers: { 'X-API-Key': key } })).header('X-RateLimit-Limit');
      expect([await limit(free), await limit(paid), await limit(none)]).toEqual(['1', '9', '5']);
      expect((await app.send('/me', { headers: { 'X-API-Key': free.key } })).status).toBe(429);
    });

    test('rate limits are checked before scopes', async () => {
      const { key } = keys.add('unscoped');
      const app = await launch({}, { options: { rateLimit: { limits: '2/minute' } } });
      const get = async (): Promise<number> =>
        (await app.send('/both', { headers: { 'X-API-Key': key } })).status;
      expect([await get(), await get(), await get()]).toEqual([403, 403, 429]);
    });

    test('failed attempts are limited per address and never reject a valid key', async () => {
      const { key } = keys.add('billing-bot', agent);
      const app = await launch({ failedAttempts: '3/minute' });
      const events: SecurityEvent[] = [];
      app.app.get(SecurityEvents).all.subscribe(event => events.push(event));
      const bad = (): Promise<Answer> => app.send('/me', { headers: { 'X-API-Key': forge(key) } });
      for (let attempt = 0; attempt < 3; attempt++) expect((await bad()).status).toBe(401);
      const limited = await bad();
      expect([limited.status, limited.json().code, limited.json()['violated-policies']]).toEqual([
        429,
        'rate_limited',
        ['failed-attempts'],
      ]);
      expect(Number(limited.header('Retry-After'))).toBeGreaterThan(0);
      expect(limited.repeated).toEqual([]);
      expect((await app.send('/me', { headers: { 'X-API-Key': key } })).status).toBe(200);
      // No credential is no attempt.
      expect((await app.send('/me')).status).toBe(401);
      expect((await app.send('/open', { headers: { 'X-API-Key': forge(key) } })).status).toBe(429);
      expect(events.filter(({ type }) => type === 'auth.limited')).toHaveLength(1);
      expect(events.find(({ type }) => type === 'auth.limited')).toMatchObject({
        address: '127.0.0.1',
        limit: 3,
        windowMs: 60_000,
      });
      expect(events.filter(({ type }) => type === 'auth.rejected')).toHaveLength(5);
      expect(events[0]).toMatchObject({ type: 'auth.rejected', reason: 'invalid', scheme: 'api-key' });
      app.clock.advance(61_000);
      expect((await bad()).status).toBe(401);
    });

    test('requests without a credential are counted per address', async () => {
      const app = await launch({}, { options: { rateLimit: { limits: '2/minute' } } });
      const get = async (): Promise<number> => (await app.send('/me')).status;
      expect([await get(), await get(), await get()]).toEqual([401, 401, 429]);
    });

    test('an unknown path is a 404 for all clients', async () => {
      const app = await launch();
      expect((await app.send('/nowhere')).status).toBe(404);
    });
  });

  describe('identify', () => {
    test('returns the agent of the app’s own authentication', async () => {
      const app = await launch({
        apiKeys: false,
        identify: request => {
          const name = request.headers['x-user'];
          if (name === 'banned') throw new UnauthorizedException();
          return typeof name === 'string' ? { id: name, scopes: ['data:read'], tier: 'paid' } : undefined;
        },
      });
      const get = (headers: Record<string, string>): Promise<Answer> => app.send('/me', { headers });
      expect((await get({ 'X-User': 'ann' })).json()).toMatchObject({
        id: 'ann',
        kind: 'custom',
        tier: 'paid',
        frozen: true,
      });
      expect(rejection(await get({}))).toEqual([401, 'credential_missing', CHALLENGE]);
      expect(rejection(await get({ 'X-User': 'banned' }))).toEqual([401, 'invalid_token', INVALID]);
      expect(rejection(await get(bearer('x')))).toEqual([401, 'credential_missing', CHALLENGE]);
      expect((await get({ 'X-User': 'a b' })).status).toBe(503);
      expect(app.logger.find('auth.identify must return an agent with an id', 'error')).toHaveLength(1);
    });

    test.each([[[undefined]], [['read_*', undefined]], [[7]], [['a', null]]])(
      'rejects an agent with the tools %j',
      async tools => {
        const app = await launch({ apiKeys: false, identify: () => ({ id: 'ann', tools: tools as never }) });
        expect((await app.send('/me')).status).toBe(503);
        expect(app.logger.find('tools as a list of strings', 'error')).toHaveLength(1);
      },
    );

    test('is not called for an API key, and reads what middleware has set', async () => {
      const { key } = keys.add('billing-bot', agent);
      const handlers: unknown[] = [];
      const app = await launch(
        {
          identify: (request, context) => {
            handlers.push(context?.getHandler().name);
            const { user } = request as { user?: string };
            return user === undefined ? undefined : { id: user };
          },
        },
        {
          middleware: consumer =>
            consumer
              .apply((request: { user?: string }, _response: unknown, next: () => void) => {
                request.user = 'session-user';
                next();
              })
              .forRoutes('open'),
        },
      );
      expect((await app.send('/me', { headers: { 'X-API-Key': key } })).json().id).toBe('billing-bot');
      expect(handlers).toEqual([]);
      expect((await app.send('/open')).status).toBe(200);
      expect(handlers).toEqual(['open']);
    });
  });

  describe('start-up', () => {
    class Contradiction {
      get(): void {}
    }
    const handler = Object.getOwnPropertyDescriptor(Contradiction.prototype, 'get')!;
    Controller('contradiction')(Contradiction);
    Get()(Contradiction.prototype, 'get', handler);
    Scopes('a')(Contradiction.prototype, 'get', handler);
    Public()(Contradiction.prototype, 'get', handler);

    test('a public route with scopes stops the start-up', async () => {
      await expect(launch({}, { controllers: [Contradiction] })).rejects.toMatchObject({
        code: 'ASEC_AUTH_ROUTE',
        option: '@Public()',
      });
    });

    test('scopes without auth stop the start-up', async () => {
      await expect(start(platform, { controllers: [Inherited] })).rejects.toMatchObject({
        code: 'ASEC_AUTH_ROUTE',
        option: '@Scopes()',
      });
    });

    test('@Public() without auth does not stop the start-up', async () => {
      @Controller('plain')
      @Public()
      class Plain {
        @Get()
        get(): string {
          return 'plain';
        }
      }
      const app = await start(platform, { controllers: [Plain] });
      expect((await app.send('/plain')).body).toBe('plain');
    });
  });

  test('a guard that is applied twice verifies once', async () => {
    @Controller('more')
    class More {
      @Get()
      @UseGuards(AuthGuard)
      get(@CurrentAgent() { id }: Agent): string {
        return id;
      }
    }
    const { key } = keys.add('billing-bot', agent);
    const app = await launch({}, { controllers: [More] });
    expect((await app.send('/more', { headers: bearer(key) })).body).toBe('billing-bot');
  });
});

/** Another character in a key. */
function flip(key: string, at: number): string {
  return key.slice(0, at) + (key[at] === 'A' ? 'B' : 'A') + key.slice(at + 1);
}

/** A key of the same ID with another secret and a valid checksum. */
function forge(key: string): string {
  return createApiKey('ask', key.slice(4, 20)).text;
}
