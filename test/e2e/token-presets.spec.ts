/* Access tokens of providers in their published shapes, and the check that each rejected token has failed. */
import { Controller, Get } from '@nestjs/common';
import {
  type Agent,
  CurrentAgent,
  SecurityEvents,
  type TokenPreset,
  type TokensOptions,
} from '../../src/index.js';
import { resolveTokens } from '../../src/tokens/tokens.options.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { AUDIENCE, EC, NOW_S, OTHER_EC, publicJwk, RSA, sign } from '../tokens/support.js';

@Controller()
class Routes {
  @Get('me')
  me(@CurrentAgent() { id, scopes }: Agent): object {
    return { id, scopes };
  }
}

interface Shape {
  readonly options: Partial<TokensOptions> & Pick<TokensOptions, 'issuer'>;
  readonly jwksUri: string;
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly scopes: readonly string[];
  /** What an ID token of the provider has in place of the claims. */
  readonly idToken: Record<string, unknown>;
}

/** An hour, in the middle of which the tokens are used. */
const TIMES = { iat: NOW_S - 1_800, exp: NOW_S + 1_800, nbf: undefined };
const TENANT = '8f2a9c1e-1111-2222-3333-444455556666';

const SHAPES: Readonly<Record<TokenPreset, Shape>> = {
  cognito: {
    options: { issuer: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aB3dE5f', clientId: 'app-1' },
    jwksUri: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aB3dE5f/.well-known/jwks.json',
    header: {},
    claims: {
      aud: undefined,
      sub: 'app-1',
      token_use: 'access',
      scope: 'orders/read orders/write',
      auth_time: NOW_S - 1_800,
      jti: '11111111-2222-3333-4444-555555555555',
      client_id: 'app-1',
      version: 2,
    },
    scopes: ['orders/read', 'orders/write'],
    idToken: { token_use: 'id', aud: 'app-1', client_id: undefined },
  },
  okta: {
    options: { issuer: 'https://acme.okta.com/oauth2/default', audience: 'api://default' },
    jwksUri: 'https://acme.okta.com/oauth2/default/v1/keys',
    header: {},
    claims: {
      ver: 1,
      jti: 'AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE',
      aud: 'api://default',
      sub: '0oabcd1234',
      cid: '0oabcd1234',
      scp: ['orders.read', 'orders.write'],
      scope: undefined,
    },
    scopes: ['orders.read', 'orders.write'],
    idToken: { cid: undefined, jti: 'ID.1', amr: ['pwd'] },
  },
  auth0: {
    options: { issuer: 'https://acme.eu.auth0.com/', audience: AUDIENCE },
    jwksUri: 'https://acme.eu.auth0.com/.well-known/jwks.json',
    header: { typ: 'JWT' },
    claims: {
      aud: [AUDIENCE, 'https://acme.eu.auth0.com/userinfo'],
      sub: 'abc123@clients',
      azp: 'abc123',
      gty: 'client-credentials',
      scope: 'read:orders',
      permissions: ['read:orders', 'admin'],
    },
    scopes: ['read:orders'],
    idToken: { azp: undefined, nonce: 'n' },
  },
  keycloak: {
    options: { issuer: 'https://sso.example.com/realms/acme', audience: 'orders-api' },
    jwksUri: 'https://sso.example.com/realms/acme/protocol/openid-connect/certs',
    header: { typ: 'JWT' },
    claims: {
      jti: 'trrtcc:1',
      aud: ['orders-api', 'account'],
      sub: '0c9f8f3e-aaaa-bbbb-cccc-ddddeeeeffff',
      typ: 'Bearer',
      azp: 'bot',
      acr: '1',
      realm_access: { roles: ['offline_access'] },
      scope: 'orders email',
      client_id: 'bot',
    },
    scopes: ['orders', 'email'],
    idToken: { typ: 'ID' },
  },
  entra: {
    options: { issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`, audience: 'api-guid' },
    jwksUri: `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
    header: { typ: 'JWT' },
    claims: {
      aud: 'api-guid',
      nbf: NOW_S - 1_800,
      azp: 'client-guid',
      azpacr: '1',
      oid: 'object-guid',
      sub: 'object-guid',
      tid: TENANT,
      scope: undefined,
      roles: ['Orders.Read.All'],
      ver: '2.0',
    },
    scopes: ['Orders.Read.All'],
    idToken: { azp: undefined, name: 'Ann' },
  },
};
const PRESETS = Object.entries(SHAPES) as [TokenPreset, Shape][];

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  let checks: unknown[];

  const launch = async (tokens: TokensOptions): Promise<RunningApp> => {
    const app = await start(platform, {
      controllers: [Routes],
      options: {
        auth: { apiKeys: false, failedAttempts: false, tokens },
        rateLimit: { limits: false, flood: false },
      },
    });
    checks = [];
    app.app.get(SecurityEvents).on('auth.rejected', ({ check, reason }) => checks.push([check, reason]));
    return app;
  };
  const send = async (app: RunningApp, token: string): Promise<unknown[]> => {
    const answer = await app.send('/me', { headers: { Authorization: `Bearer ${token}` } });
    return [answer.status, answer.status === 200 ? answer.json() : checks.at(-1)];
  };

  describe.each(PRESETS)('%s', (preset, { options, header, claims, scopes, idToken }) => {
    const create = (
      more: Record<string, unknown> = {},
      head: Record<string, unknown> = {},
    ): Promise<string> =>
      sign({
        key: RSA.privateKey,
        header: { alg: 'RS256', kid: 'key-1', typ: undefined, ...header, ...head },
        claims: { ...TIMES, iss: options.issuer, ...claims, ...more },
      });
    const tokens: TokensOptions = { preset, keys: publicJwk(RSA.publicKey, { kid: 'key-1' }), ...options };

    it('accepts an access token of half an hour, with its scopes', async () => {
      const app = await launch(tokens);
      expect(await send(app, await create())).toEqual([200, { id: claims['sub'], scopes }]);
    });

    it('says which check a token fails', async () => {
      const app = await launch(tokens);
      const rows: [Promise<string>, unknown[]][] = [
        [create(idToken), ['use', 'invalid']],
        [create({ iss: 'https://other.example' }), ['iss', 'unknown']],
        [create({ exp: NOW_S - 60 }), ['exp', 'expired']],
        [create({ iat: NOW_S - 90_000 }), ['max-age', 'expired']],
        [create({ nbf: NOW_S + 60 }), ['nbf', 'not-yet-valid']],
        [create({ sub: undefined }), ['agent', 'invalid']],
        [create({ cnf: { jkt: 'x' } }), ['dpop', 'invalid']],
        [create({}, { typ: 'dpop+jwt' }), ['typ', 'invalid']],
        [create({}, { kid: 'key-2' }), ['kid', 'invalid']],
        preset === 'cognito'
          ? [create({ client_id: 'app-2' }), ['client_id', 'invalid']]
          : [create({ aud: 'https://other.example' }), ['aud', 'invalid']],
        preset === 'cognito'
          ? [create({ client_id: undefined }), ['client_id', 'invalid']]
          : [create({ aud: undefined }), ['aud', 'invalid']],
      ];
      for (const [token, check] of rows) expect(await send(app, await token)).toEqual([401, check]);
    });

    it('does not accept the token without the preset', async () => {
      const { clientId: _clientId, ...others } = options;
      const app = await launch({
        ...others,
        audience: options.audience ?? AUDIENCE,
        algorithms: ['RS256'],
        maxAge: '1 day',
        keys: RSA.publicKey,
      });
      expect(await send(app, await create())).toEqual([401, ['typ', 'invalid']]);
    });
  });

  it('reads the delegated permissions of Entra, and no roles of the user beside them', async () => {
    const { options, claims } = SHAPES.entra;
    const app = await launch({ preset: 'entra', keys: RSA.publicKey, ...options });
    const more = { scp: 'Orders.Read', roles: ['Admin'], iss: options.issuer };
    const token = await sign({
      key: RSA.privateKey,
      header: { alg: 'RS256', typ: 'JWT' },
      claims: { ...claims, ...more },
    });
    expect(await send(app, token)).toEqual([200, { id: 'object-guid', scopes: ['Orders.Read'] }]);
  });

  it('checks the audience of Cognito as well where it is set', async () => {
    const { options, claims } = SHAPES.cognito;
    const app = await launch({ preset: 'cognito', keys: RSA.publicKey, ...options, audience: AUDIENCE });
    const create = (aud?: string): Promise<string> =>
      sign({
        key: RSA.privateKey,
        header: { alg: 'RS256', typ: undefined },
        claims: { ...claims, iss: options.issuer, aud },
      });
    expect(await send(app, await create())).toEqual([401, ['aud', 'invalid']]);
    expect((await send(app, await create(AUDIENCE)))[0]).toBe(200);
  });

  it('says which check a token without a preset fails', async () => {
    const issuer = 'https://issuer.example';
    const app = await launch({ issuer, audience: AUDIENCE, algorithms: ['ES256'], keys: EC.publicKey });
    const rows: [Promise<string> | string, unknown[]][] = [
      ['opaque', ['format', 'malformed']],
      [sign({ header: { crit: ['x'] }, payload: '{}' }).catch(() => 'x'), ['format', 'malformed']],
      [sign({ header: { typ: undefined } }), ['typ', 'invalid']],
      [sign({ key: RSA.privateKey, header: { alg: 'RS256' } }), ['alg', 'invalid']],
      [sign({ key: OTHER_EC.privateKey }), ['signature', 'invalid']],
      [sign({ claims: { aud: undefined } }), ['aud', 'invalid']],
      [sign({ claims: { exp: undefined } }), ['exp', 'invalid']],
      [sign({ claims: { iat: '1' } }), ['iat', 'invalid']],
      [sign({ claims: { nbf: 'x' } }), ['nbf', 'invalid']],
      [sign({ claims: { iat: NOW_S + 60 } }), ['iat', 'not-yet-valid']],
      [sign({ claims: { iat: NOW_S - 1_000 } }), ['max-age', 'expired']],
      [sign({ claims: { cnf: { x5t: 'x' } } }), ['cnf', 'invalid']],
      [sign({ claims: { scope: 7 } }), ['agent', 'invalid']],
    ];
    for (const [token, check] of rows) expect(await send(app, await token)).toEqual([401, check]);
  });
});

describe('the options of a preset', () => {
  it.each(PRESETS)('%s finds its key set below the issuer', (preset, { options, jwksUri }) => {
    const tokens = resolveTokens('auth.tokens', { preset, ...options })!;
    expect(tokens.jwks!.uri.href).toBe(jwksUri);
    expect(tokens.algorithms).toEqual(['RS256']);
  });

  it('gives way to what is set', () => {
    const tokens = resolveTokens('auth.tokens', {
      preset: 'auth0',
      issuer: 'https://id.example/',
      audience: AUDIENCE,
      algorithms: ['PS256'],
      maxAge: '5 minutes',
      type: 'at+jwt',
      claims: { scopes: 'permissions' },
      jwksUri: 'https://id.example/keys',
    })!;
    expect(tokens).toMatchObject({
      algorithms: ['PS256'],
      maxAgeMs: 300_000,
      types: ['at+jwt'],
      claims: { scopes: 'permissions' },
    });
    expect(tokens.jwks!.uri.href).toBe('https://id.example/keys');
  });

  it.each([
    [{ preset: 'google', audience: AUDIENCE }, 'auth.tokens.preset'],
    [{ preset: 'constructor', audience: AUDIENCE }, 'auth.tokens.preset'],
    [{ preset: 'cognito' }, 'auth.tokens.clientId'],
    [{ preset: 'cognito', clientId: [] }, 'auth.tokens.clientId'],
    [{ preset: 'cognito', audience: AUDIENCE }, 'auth.tokens.clientId'],
    [{ preset: 'okta' }, 'auth.tokens.audience'],
    [{ preset: 'okta', audience: AUDIENCE, clientId: 'a' }, 'auth.tokens.clientId'],
    [{ audience: AUDIENCE, algorithms: ['RS256'], clientId: 'a' }, 'auth.tokens.clientId'],
    [{ preset: 'okta', audience: AUDIENCE, claims: { scopes: [] } }, 'auth.tokens.claims.scopes'],
    [{ preset: 'okta', audience: AUDIENCE, claims: { scopes: '' } }, 'auth.tokens.claims.scopes'],
  ])('%j stops the start-up', (options, option) => {
    expect(() => resolveTokens('auth.tokens', { issuer: 'https://id.example', ...options })).toThrow(
      expect.objectContaining({ option }) as Error,
    );
  });
});
