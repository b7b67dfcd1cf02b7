/* OAuth client libraries against the token endpoint, its metadata and its keys. Clients and app use the system clock. */
import { Controller, Get } from '@nestjs/common';
import { calculateJwkThumbprint, createRemoteJWKSet, decodeJwt, exportJWK, jwtVerify, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { type Agent, type AuthOptions, CurrentAgent, type TokenEndpointOptions } from '../../src/index.js';
import { systemClock } from '../../src/common/clock.js';
import { freePort } from '../support/free-port.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

@Controller()
class Routes {
  @Get('me')
  me(@CurrentAgent() agent: Agent): object {
    return { id: agent.id, kind: agent.kind };
  }
}

describe.each(PLATFORMS)('%s', (_title, platform) => {
  let keys: TestKeys;
  let key: string;
  let issuer: string;
  let app: RunningApp;

  const launch = async (endpoint: Partial<TokenEndpointOptions> = {}, path = ''): Promise<void> => {
    keys = new TestKeys();
    ({ key } = keys.add('bot-1', { scopes: ['data:read', 'data:write'] }, { nowMs: Date.now() }));
    // The issuer's URL stands in the options, so the port must be known before the app listens.
    const port = await freePort();
    issuer = `http://127.0.0.1:${port}${path}`;
    const auth: AuthOptions = {
      apiKeys: { store: keys.store, secret: SECRET },
      tokenEndpoint: { issuer, insecureEphemeralKey: true, ...endpoint },
    };
    app = await start(platform, {
      controllers: [Routes],
      clock: systemClock,
      options: { auth, rateLimit: { limits: '1000/minute' } },
      port,
    });
  };

  const insecure = { [oauth.allowInsecureRequests]: true };

  test.each(['', '/tenant-1'])(
    'oauth4webapi finds the server, and gets a token (issuer path "%s")',
    async path => {
      await launch({}, path);
      const url = new URL(issuer);
      const server = await oauth.processDiscoveryResponse(
        url,
        await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }),
      );
      const self = { client_id: 'bot-1' };
      for (const authenticate of [oauth.ClientSecretBasic(key), oauth.ClientSecretPost(key)]) {
        const parameters = { scope: 'data:read', resource: issuer };
        const answer = await oauth.clientCredentialsGrantRequest(
          server,
          self,
          authenticate,
          parameters,
          insecure,
        );
        const result = await oauth.processClientCredentialsResponse(server, self, answer);
        expect(result).toMatchObject({ token_type: 'bearer', expires_in: 600, scope: 'data:read' });
        const me = await oauth.protectedResourceRequest(
          result.access_token,
          'GET',
          new URL('/me', issuer),
          undefined,
          undefined,
          insecure,
        );
        expect(await me.json()).toEqual({ id: 'bot-1', kind: 'token' });
      }
    },
  );

  test('oauth4webapi discovers the resource and parses errors', async () => {
    await launch();
    const resource = new URL(issuer);
    const metadata = await oauth.processResourceDiscoveryResponse(
      resource,
      await oauth.resourceDiscoveryRequest(resource, insecure),
    );
    expect(metadata.authorization_servers).toEqual([issuer]);
    const server: oauth.AuthorizationServer = { issuer, token_endpoint: `${issuer}/oauth/token` };
    const self = { client_id: 'bot-1' };
    const grant = async (secret: string, scope: string): Promise<unknown> =>
      oauth.processClientCredentialsResponse(
        server,
        self,
        await oauth.clientCredentialsGrantRequest(
          server,
          self,
          oauth.ClientSecretBasic(secret),
          { scope },
          insecure,
        ),
      );
    await expect(grant(key, 'admin')).rejects.toMatchObject({ error: 'invalid_scope', status: 400 });
    // A 401 with a challenge is that client's WWWAuthenticateChallengeError.
    await expect(grant('wrong', 'data:read')).rejects.toMatchObject({ status: 401 });
  });

  test('openid-client, from discovery to the API', async () => {
    await launch();
    const config = await client.discovery(
      new URL(issuer),
      'bot-1',
      undefined,
      client.ClientSecretBasic(key),
      {
        algorithm: 'oauth2',
        execute: [client.allowInsecureRequests],
      },
    );
    const tokens = await client.clientCredentialsGrant(config, { scope: 'data:read data:write' });
    const me = await client.fetchProtectedResource(
      config,
      tokens.access_token,
      new URL('/me', issuer),
      'GET',
    );
    expect([me.status, await me.json()]).toEqual([200, { id: 'bot-1', kind: 'token' }]);
  });

  test('jose verifies against the published keys', async () => {
    await launch();
    const answer = await app.send('/oauth/token', {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        Authorization: `Basic ${Buffer.from(`bot-1:${key}`).toString('base64')}`,
      },
      body: 'grant_type=client_credentials',
    });
    const set = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer));
    const { payload } = await jwtVerify(answer.json().access_token, set, {
      issuer,
      audience: issuer,
      typ: 'at+jwt',
    });
    expect(payload.sub).toBe('bot-1');
  });

  describe('DPoP', () => {
    test('oauth4webapi gets a bound token, and calls with proofs', async () => {
      await launch({ dpop: true });
      const server: oauth.AuthorizationServer = { issuer, token_endpoint: `${issuer}/oauth/token` };
      const self = { client_id: 'bot-1' };
      const pair = await oauth.generateKeyPair('ES256');
      const DPoP = oauth.DPoP({}, pair);
      const answer = await oauth.clientCredentialsGrantRequest(
        server,
        self,
        oauth.ClientSecretBasic(key),
        {},
        { DPoP, ...insecure },
      );
      const result = await oauth.processClientCredentialsResponse(server, self, answer);
      expect(result.token_type).toBe('dpop');
      const jkt = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
      expect(decodeJwt(result.access_token)['cnf']).toEqual({ jkt });
      for (let round = 0; round < 2; round++) {
        const me = await oauth.protectedResourceRequest(
          result.access_token,
          'GET',
          new URL('/me?x=1', issuer),
          undefined,
          undefined,
          { DPoP, ...insecure },
        );
        expect([me.status, await me.json()]).toEqual([200, { id: 'bot-1', kind: 'token' }]);
      }
    });

    test('a bound token without a proof, or with a stale or foreign one, is rejected', async () => {
      await launch({ dpop: true });
      const pair = await oauth.generateKeyPair('ES256', { extractable: true });
      const other = await oauth.generateKeyPair('ES256', { extractable: true });
      const { createHash, randomUUID } = await import('node:crypto');
      const proof = async (
        claims: Record<string, unknown>,
        header: Record<string, unknown> = {},
        by = pair,
      ): Promise<string> =>
        new SignJWT({ jti: randomUUID(), iat: Math.floor(Date.now() / 1_000), ...claims })
          .setProtectedHeader({
            alg: 'ES256',
            typ: 'dpop+jwt',
            jwk: await exportJWK(by.publicKey),
            ...header,
          })
          .sign(by.privateKey);
      const given = await app.send('/oauth/token', {
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          Authorization: `Basic ${Buffer.from(`bot-1:${key}`).toString('base64')}`,
          DPoP: await proof({ htm: 'POST', htu: `${issuer}/oauth/token` }),
        },
        body: 'grant_type=client_credentials',
      });
      const token = given.json().access_token as string;
      const ath = createHash('sha256').update(token).digest('base64url');
      const good = { htm: 'GET', htu: `${issuer}/me`, ath };
      const call = async (DPoP: string | readonly string[] | undefined, scheme = 'DPoP'): Promise<number> =>
        (
          await app.send('/me', {
            headers: { Authorization: `${scheme} ${token}`, ...(DPoP === undefined ? {} : { DPoP }) },
          })
        ).status;

      const once = await proof(good);
      expect(await call(once)).toBe(200);
      expect(await call(once)).toBe(401);
      expect(await call(undefined)).toBe(401);
      expect(await call(await proof(good), 'Bearer')).toBe(401);
      expect(await call([await proof(good), await proof(good)])).toBe(401);
      expect(await call(await proof({ ...good, htm: 'POST' }))).toBe(401);
      expect(await call(await proof({ ...good, htu: `${issuer}/other` }))).toBe(401);
      expect(await call(await proof({ ...good, ath: undefined }))).toBe(401);
      expect(await call(await proof(good, {}, other))).toBe(401);
      const challenge = await app.send('/me');
      expect(challenge.header('WWW-Authenticate')).toMatch(
        /^Bearer .*, DPoP algs="ES256 EdDSA Ed25519 PS256"$/,
      );
      const metadata = await app.send('/.well-known/oauth-authorization-server');
      expect(metadata.json().dpop_signing_alg_values_supported).toEqual([
        'ES256',
        'EdDSA',
        'Ed25519',
        'PS256',
      ]);
    });

    test('an unbound token is rejected where proofs are required', async () => {
      await launch({ dpop: { required: true } });
      const answer = await app.send('/oauth/token', {
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          Authorization: `Basic ${Buffer.from(`bot-1:${key}`).toString('base64')}`,
        },
        body: 'grant_type=client_credentials',
      });
      expect([answer.status, answer.json().error]).toEqual([400, 'invalid_dpop_proof']);
    });
  });
});
