/* Credentials of other layers: a gateway's Basic, an app's own tokens of Passport, another service's keys. */
import { Controller, Get, Injectable, UseGuards } from '@nestjs/common';
import { AuthGuard as PassportGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { SignJWT } from 'jose';
import { Strategy } from 'passport-http-bearer';
import {
  type Agent,
  type AuthOptions,
  CurrentAgent,
  Public,
  SecurityEvents,
  type SecurityEvent,
} from '../../src/index.js';
import type { Answer, HeaderLine } from '../support/http.js';
import { createApiKey, SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { AUDIENCE, EC, ISSUER, sign } from '../tokens/support.js';

/** The app's own user tokens, as most tutorials of Passport sign them: HS256, without an issuer. */
const userToken = (): Promise<string> =>
  new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(Buffer.from('a secret of the app, 32 bytes long'));

@Injectable()
class OwnStrategy extends PassportStrategy(Strategy, 'own-users') {
  async validate(token: string): Promise<object | false> {
    return token === (await userToken()) || token === 'opaque' ? { name: 'ann' } : false;
  }
}

@Controller()
class Routes {
  @Get('me')
  me(@CurrentAgent() agent: Agent): object {
    return { id: agent.id };
  }

  @Get('open')
  @Public()
  open(@CurrentAgent() agent: Agent | undefined): object {
    return { id: agent?.id ?? null };
  }

  @Get('users')
  @Public()
  @UseGuards(PassportGuard('own-users'))
  users(): object {
    return { user: true };
  }
}

const BASIC: HeaderLine = ['Authorization', 'Basic Z2F0ZXdheTpzZWNyZXQ='];
const bearer = (token: string): HeaderLine => ['Authorization', `Bearer ${token}`];
const apiKey = (key: string): HeaderLine => ['X-API-Key', key];
/** A key of another service behind the same gateway. */
const OTHER_KEY = apiKey('AKfycbx0therServiceKey');

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  let keys: TestKeys;
  let key: string;
  let events: SecurityEvent[];

  const launch = async (auth: AuthOptions): Promise<RunningApp> => {
    const app = await start(platform, {
      imports: [PassportModule],
      controllers: [Routes],
      providers: [OwnStrategy],
      options: { auth: { failedAttempts: '3/minute', ...auth }, rateLimit: { limits: '1000/minute' } },
    });
    events = [];
    app.app.get(SecurityEvents).all.subscribe(event => {
      if (event.type.startsWith('auth.')) events.push(event);
    });
    return app;
  };
  const keyed = (): AuthOptions => ({ apiKeys: { store: keys.store, secret: SECRET } });
  const tokens = { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], keys: EC.publicKey };
  const signed: AuthOptions = { apiKeys: false, tokens };
  const both = (): AuthOptions => ({ ...keyed(), tokens });

  beforeEach(() => {
    keys = new TestKeys();
    ({ key } = keys.add('bot'));
  });

  const outcome = (answer: Answer): unknown[] => {
    const body = answer.json();
    return [answer.status, 'id' in body ? body.id : body.code];
  };

  describe('API keys alone', () => {
    it.each<[string, () => Promise<HeaderLine[]>]>([
      ["a gateway's Basic", async () => [apiKey(key), BASIC]],
      ["a gateway's token", async () => [apiKey(key), bearer(await sign())]],
      ["a gateway's token of a proof", async () => [apiKey(key), ['Authorization', 'DPoP abc']]],
      ["another service's key", async () => [OTHER_KEY, bearer(key)]],
      ['an unknown scheme', async () => [apiKey(key), ['Authorization', 'AWS4-HMAC-SHA256 Credential=a/b']]],
      ['an empty Authorization', async () => [apiKey(key), ['Authorization', '']]],
    ])('accepts a key beside %s', async (_what, headers) => {
      const app = await launch(keyed());
      expect(outcome(await app.send('/me', { headers: await headers() }))).toEqual([200, 'bot']);
    });

    it('leaves tokens to the app on public routes, and does not count them', async () => {
      const app = await launch(keyed());
      for (let count = 0; count < 5; count++) {
        const answer = await app.send('/users', { headers: [bearer(await userToken())] });
        expect([answer.status, answer.json()]).toEqual([200, { user: true }]);
      }
      expect((await app.send('/users', { headers: [bearer('opaque')] })).status).toBe(200);
      expect((await app.send('/users', { headers: [bearer('wrong')] })).status).toBe(401);
      expect(outcome(await app.send('/open', { headers: [bearer(await userToken())] }))).toEqual([200, null]);
      expect(outcome(await app.send('/open', { headers: [OTHER_KEY] }))).toEqual([200, null]);
      expect(events).toEqual([]);
    });

    it('treats them as no credential on other routes', async () => {
      const app = await launch(keyed());
      for (let count = 0; count < 5; count++) {
        const answer = await app.send('/me', { headers: [bearer(await userToken())] });
        expect(outcome(answer)).toEqual([401, 'credential_missing']);
        expect(answer.json().detail).toBe(
          'This route needs an API key, as X-API-Key or Authorization: Bearer.',
        );
      }
    });

    it('still rejects an invalid key, wherever it stands and whatever stands beside it', async () => {
      const app = await launch({ ...keyed(), failedAttempts: false });
      const wrong = createApiKey('ask').text;
      for (const headers of [
        [apiKey(wrong)],
        [bearer(wrong)],
        [apiKey(wrong), BASIC],
        [apiKey(wrong), bearer(await userToken())],
        [OTHER_KEY, bearer(wrong)],
      ]) {
        for (const path of ['/me', '/open'])
          expect(outcome(await app.send(path, { headers }))).toEqual([401, 'invalid_token']);
      }
      for (const headers of [
        [apiKey(key), bearer(key)],
        [apiKey(key), bearer(wrong)],
        [apiKey(wrong), bearer(key)],
      ])
        expect(outcome(await app.send('/me', { headers }))).toEqual([400, 'credential_ambiguous']);
    });
  });

  describe('tokens alone', () => {
    it.each<[string, HeaderLine]>([
      ["another service's key", OTHER_KEY],
      ['an empty key', ['X-API-Key', '']],
      ['what would be a key of this module', apiKey(createApiKey('ask').text)],
    ])('accepts a token beside %s', async (_what, line) => {
      const app = await launch(signed);
      expect(outcome(await app.send('/me', { headers: [line, bearer(await sign())] }))).toEqual([
        200,
        'agent-7',
      ]);
    });

    it('leaves keys to the app on public routes, and does not count them', async () => {
      const app = await launch(signed);
      for (let count = 0; count < 5; count++)
        expect(outcome(await app.send('/open', { headers: [OTHER_KEY] }))).toEqual([200, null]);
      for (let count = 0; count < 5; count++)
        expect(outcome(await app.send('/me', { headers: [OTHER_KEY] }))).toEqual([401, 'credential_missing']);
      const answer = await app.send('/me');
      expect(answer.json().detail).toBe('This route needs a token, as Authorization: Bearer.');
      expect(events).toEqual([]);
    });

    it.each([
      ['without an issuer', userToken],
      ['of another issuer', () => sign({ claims: { iss: 'https://users.example' } })],
      ['that is opaque', async () => 'opaque'],
    ])('leaves a token %s to the app on public routes, and rejects it elsewhere', async (_what, create) => {
      const app = await launch(signed);
      const headers = [bearer(await create())];
      for (let count = 0; count < 5; count++)
        expect(outcome(await app.send('/open', { headers }))).toEqual([200, null]);
      expect(events).toEqual([]);
      for (let count = 0; count < 3; count++)
        expect(outcome(await app.send('/me', { headers }))).toEqual([401, 'invalid_token']);
      expect(outcome(await app.send('/me', { headers }))).toEqual([429, 'rate_limited']);
      expect(events.filter(({ type }) => type === 'auth.rejected')).toHaveLength(4);
      expect((await app.send('/users', { headers: [bearer(await userToken())] })).status).toBe(200);
    });

    it('rejects an invalid token of its issuer on public routes too', async () => {
      const app = await launch(signed);
      for (const headers of [
        [bearer(await sign({ claims: { exp: 1 } }))],
        [bearer(await sign({ claims: { aud: 'https://other.example' } })), OTHER_KEY],
        [['Authorization', `DPoP ${await sign()}`] as HeaderLine],
      ])
        expect(outcome(await app.send('/open', { headers }))).toEqual([401, 'invalid_token']);
    });
  });

  describe('API keys and tokens', () => {
    it('accepts either beside a foreign one of the other kind, and rejects both', async () => {
      const app = await launch(both());
      const token = bearer(await sign());
      expect(outcome(await app.send('/me', { headers: [apiKey(key), bearer(await userToken())] }))).toEqual([
        200,
        'bot',
      ]);
      expect(outcome(await app.send('/me', { headers: [OTHER_KEY, token] }))).toEqual([200, 'agent-7']);
      expect(outcome(await app.send('/me', { headers: [apiKey(key), token] }))).toEqual([
        400,
        'credential_ambiguous',
      ]);
    });
  });

  it('gives tokens of other issuers to identify', async () => {
    const token = await userToken();
    const app = await launch({
      ...both(),
      identify: ({ headers }) =>
        headers.authorization === `Bearer ${token}` ? { id: 'user:ann' } : undefined,
    });
    expect(outcome(await app.send('/me', { headers: [bearer(token)] }))).toEqual([200, 'user:ann']);
    expect(outcome(await app.send('/me', { headers: [bearer(await sign())] }))).toEqual([200, 'agent-7']);
    const expired = [bearer(await sign({ claims: { exp: 1 } }))];
    expect(outcome(await app.send('/me', { headers: expired }))).toEqual([401, 'invalid_token']);
  });
});
