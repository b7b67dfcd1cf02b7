/* An agent with bound tokens cannot fill the replay memory of DPoP proofs, which would reject the proofs of all agents. */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, SignJWT } from 'jose';
import type { AuthOptions } from '../../src/index.js';
import { MeController } from '../support/controllers.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';
import { AUDIENCE, EC, ISSUER, NOW_S, sign } from '../tokens/support.js';

const MAX_PROOFS = 8;

/** The real memory, with room for few proofs. */
jest.mock('../../src/tokens/dpop.js', () => {
  const dpop = jest.requireActual<typeof import('../../src/tokens/dpop.js')>('../../src/tokens/dpop.js');
  return {
    ...dpop,
    ReplayMemory: class extends dpop.ReplayMemory {
      constructor(windowMs: number) {
        super(windowMs, 8);
      }
    },
  };
});

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
const makePair = (): Pair => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const OWN_ISSUER = 'https://api.example.com';

describe.each(PLATFORMS)('%s', (_title, platform) => {
  let app: RunningApp;
  const launch = async (auth: AuthOptions): Promise<void> => {
    app = await start(platform, {
      controllers: [MeController],
      options: {
        rateLimit: { limits: '1000/minute', flood: false },
        auth: { resource: AUDIENCE, failedAttempts: false, ...auth },
      },
    });
  };
  const withTokens = (): Promise<void> =>
    launch({
      tokens: {
        issuer: ISSUER,
        algorithms: ['ES256'],
        keys: EC.publicKey,
        dpop: true,
      },
    });
  const prove = async (by: Pair, claims: Record<string, unknown>): Promise<string> =>
    new SignJWT({ jti: randomUUID(), iat: NOW_S, ...claims })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(by.publicKey) })
      .sign(by.privateKey);
  const tokenOf = async (agent: string, pair: Pair): Promise<string> => {
    const jkt = await calculateJwkThumbprint(await exportJWK(pair.publicKey));
    return sign({ claims: { sub: agent, cnf: { jkt } } });
  };
  /** The status of a call with a proof that was not used before. */
  const call = async (token: string, by: Pair): Promise<number> => {
    const ath = createHash('sha256').update(token).digest('base64url');
    const htu = `http://127.0.0.1:${app.port}/me`;
    const DPoP = await prove(by, { htm: 'GET', htu, ath });
    return (await app.send('/me', { headers: { Authorization: `DPoP ${token}`, DPoP } })).status;
  };

  it('an agent that uses up its share is rejected, and the next agent is not', async () => {
    await withTokens();
    const statuses: number[] = [];
    const [one, two, three] = [makePair(), makePair(), makePair()];
    const token = await tokenOf('one', one);
    for (let count = 0; count < 2 * MAX_PROOFS; count++) statuses.push(await call(token, one));
    expect(statuses.filter(status => status === 200)).toHaveLength(MAX_PROOFS / 2);
    expect(statuses.at(-1)).toBe(401);
    expect(await call(await tokenOf('two', two), two)).toBe(200);
    expect(await call(await tokenOf('three', three), three)).toBe(200);
  });

  it('an agent has one share for all of its tokens and keys', async () => {
    await withTokens();
    const statuses: number[] = [];
    for (let count = 0; count < 2 * MAX_PROOFS; count++) {
      const pair = makePair();
      statuses.push(await call(await tokenOf('one', pair), pair));
    }
    expect(statuses.filter(status => status === 200)).toHaveLength(MAX_PROOFS / 2);
    const pair = makePair();
    expect(await call(await tokenOf('two', pair), pair)).toBe(200);
  });

  it('proofs of keys other than the token’s use no room', async () => {
    await withTokens();
    const pair = makePair();
    const token = await tokenOf('one', pair);
    for (let count = 0; count < 2 * MAX_PROOFS; count++) expect(await call(token, makePair())).toBe(401);
    expect(await call(token, pair)).toBe(200);
  });

  it('an agent that uses up its share at the token endpoint leaves room for the next', async () => {
    const keys = new TestKeys();
    const clients = { one: keys.add('one').key, two: keys.add('two').key };
    await launch({
      resource: OWN_ISSUER,
      apiKeys: { store: keys.store, secret: SECRET },
      tokenEndpoint: {
        issuer: OWN_ISSUER,
        insecureEphemeralKey: true,
        dpop: true,
      },
    });
    const requestToken = async (client: keyof typeof clients): Promise<number> => {
      const answer = await app.send('/oauth/token', {
        body: `grant_type=client_credentials&client_id=${client}&client_secret=${clients[client]}`,
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          DPoP: await prove(makePair(), { htm: 'POST', htu: `${OWN_ISSUER}/oauth/token` }),
        },
      });
      return answer.status;
    };
    const statuses: number[] = [];
    for (let count = 0; count < 2 * MAX_PROOFS; count++) statuses.push(await requestToken('one'));
    expect(statuses.filter(status => status === 200)).toHaveLength(MAX_PROOFS / 2);
    expect(await requestToken('two')).toBe(200);
  });
});
