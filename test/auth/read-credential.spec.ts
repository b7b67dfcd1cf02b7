import fc from 'fast-check';
import { ApiKeyVerifier, KeyDigests, SecurityEvents } from '../../src/index.js';
import { resolveAuth, type ResolvedAuth } from '../../src/auth/auth.options.js';
import { Authenticator } from '../../src/auth/authenticator.js';
import { OpenConnections } from '../../src/auth/open-connections.js';
import { namesParameter, readCredentials, parameterName } from '../../src/auth/read-credential.js';
import { RequestState } from '../../src/common/request-state.js';
import { ManualClock } from '../support/clock.js';
import { createApiKey, SECRET, TestKeys } from '../support/keys.js';
import { ManualTimers } from '../support/timers.js';

const read = (lines: readonly string[], handshake = false) =>
  readCredentials({ rawHeaders: lines }, handshake);

describe('readCredentials()', () => {
  it.each([
    [['Authorization', 'Bearer a.b-c_d~e+f/g=='], 'bearer', 'a.b-c_d~e+f/g=='],
    [['AUTHORIZATION', 'BEARER \t x'], 'bearer', 'x'],
    [['X-API-KEY', 'x'], 'api-key', 'x'],
    [['authorization', 'DPoP x'], 'dpop', 'x'],
  ])('%j', (lines, scheme, credential) => expect(read(lines)).toEqual([{ scheme, credential }]));

  it.each([[[]], [['Authorization', 'Basic eA==']], [['Authorization', 'Bearerx']], [['X-Api-Keys', 'x']]])(
    'none in %j',
    lines => expect(read(lines)).toEqual([]),
  );

  it.each([
    ['Bearer', ''],
    ['Bearer ', ''],
    ['Bearer a b', 'a b'],
    ['Bearer a,b', 'a,b'],
    ['Bearer "a"', '"a"'],
    ['Bearer \u00e9', '\u00e9'],
  ])('the whole text in %j, for the verifier', (value, credential) =>
    expect(read(['Authorization', value])).toEqual([{ scheme: 'bearer', credential }]),
  );

  it('reads a key and a token beside each other', () => {
    expect(read(['Authorization', 'Bearer a', 'X-API-Key', 'b'])).toEqual([
      { scheme: 'api-key', credential: 'b' },
      { scheme: 'bearer', credential: 'a' },
    ]);
    expect(read(['Authorization', 'Basic a', 'X-API-Key', 'b'])).toEqual([
      { scheme: 'api-key', credential: 'b' },
    ]);
  });

  it('reads a subprotocol only in a handshake', () => {
    const lines = ['Sec-WebSocket-Protocol', 'agent.v1, bearer.abc'];
    expect(read(lines)).toEqual([]);
    expect(read(lines, true)).toEqual([{ scheme: 'bearer', credential: 'abc' }]);
    expect(read([...lines, 'Authorization', 'Bearer abc'], true)).toHaveLength(2);
    expect(read([...lines, ...lines], true)).toBe('ambiguous');
    expect(read(['Sec-WebSocket-Protocol', 'bearer.a, bearer.b'], true)).toBe('ambiguous');
  });
});

describe('namesParameter()', () => {
  const names = new Set(['api_key', 'token', 'Schlüssel'].map(parameterName));
  it.each([
    '/?token=',
    '/a?x=1&api_key=2',
    '/?TOKEN',
    '/?%74oken=1',
    '/?token%5b%5d=1',
    '/?token%5B0%5D=1',
    '/?+token=1',
    '/?%zz=1&%ff=2&toke%6E',
    '/?schl%C3%BCssel=1',
    '/?x;token=1',
    'http://a/?token=1',
  ])('%s names a parameter', target => expect(namesParameter(target, names)).toBe(true));
  it.each([
    '/token=1',
    '/?x=token',
    '/?tokens=1',
    '/?a=token%3D1',
    '/#?',
    '/?%zz=1',
    '/?%',
    '/?%7',
    '/?%74okens',
    '/?schl%FCssel=1',
    '/?',
  ])('%s names none', target => expect(namesParameter(target, names)).toBe(false));
});

describe('headers without a valid credential authenticate no agent', () => {
  const keys = new TestKeys();
  const { key } = keys.add('real', { scopes: ['a'] });
  const gone = keys.add('gone', { disabled: true }).key;
  const foreign = createApiKey('ask').text;
  const forged = createApiKey('ask', key.slice(4, 20)).text;
  const clock = new ManualClock();
  const options = resolveAuth(
    { apiKeys: { store: keys.store, secret: SECRET }, failedAttempts: false },
    () => undefined,
  ) as ResolvedAuth;
  const authenticator = new Authenticator({
    options,
    apiKeys: new ApiKeyVerifier(keys.store, new KeyDigests([SECRET]), 'ask', clock),
    tokens: undefined,
    clock,
    events: new SecurityEvents(),
    connections: new OpenConnections(clock, new ManualTimers(), new SecurityEvents()),
    failedAttempts: undefined,
    headers: false,
    log: { error: () => undefined },
  });
  const authenticate = async (rawHeaders: string[], handshake: boolean): Promise<string | undefined> => {
    const state = new RequestState(undefined as never, undefined as never);
    const raw = { rawHeaders, headers: {}, url: '/', method: 'GET' } as never;
    const found = await authenticator.authenticate(raw, state, { handshake });
    expect(found.kind === 'agent').toBe(state.agent !== undefined);
    return state.agent?.id;
  };

  const name = fc.constantFrom(
    'Authorization',
    'authorization',
    'X-API-Key',
    'x-api-key',
    'Sec-WebSocket-Protocol',
    'X-Agent',
    'Cookie',
    'Proxy-Authorization',
    'X-Forwarded-User',
  );
  const words = 'Bearer|bearer|DPoP|Basic| |,|\t|=|bearer.|ask_|_|real|null'.split('|');
  const parts = [key.slice(0, -1), key.slice(0, 21), key.slice(4), key.toUpperCase(), `${key}0`];
  const token = fc.constantFrom(...words, ...parts, forged, foreign, gone);
  const value = fc.array(token, { maxLength: 5 }).map(tokens => tokens.join(''));
  const lines = fc.array(fc.tuple(name, value), { maxLength: 4 }).map(pairs => pairs.flat());

  it('for any combination of credential fragments', async () => {
    await fc.assert(
      fc.asyncProperty(lines, fc.boolean(), async (rawHeaders, handshake) => {
        // Parts can make up the whole key again: that one is valid.
        fc.pre(!rawHeaders.some(text => text.replaceAll(`${key}0`, '').includes(key)));
        expect(await authenticate(rawHeaders, handshake)).toBeUndefined();
      }),
      { numRuns: 5_000 },
    );
  });

  it('and a valid credential authenticates its agent', async () => {
    expect(await authenticate(['Authorization', `Bearer ${key}`], false)).toBe('real');
    expect(await authenticate(['X-API-Key', key], false)).toBe('real');
    expect(await authenticate(['Sec-WebSocket-Protocol', `a, bearer.${key}`], true)).toBe('real');
    expect(await authenticate(['Sec-WebSocket-Protocol', `a, bearer.${key}`], false)).toBeUndefined();
  });
});
