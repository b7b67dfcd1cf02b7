/* A URL of Redis in an app where neither ioredis nor redis is installed, or where the client is not whole. */
import { createRedisKeyStore, createRedisStore } from '../../src/redis/index.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const PASSWORD = 'correct-horse-9';
const URL_OF_REDIS = `redis://:${PASSWORD}@127.0.0.1:6379/0`;

let missing = '';
const notFound = (name: string): Error =>
  Object.assign(new Error(`Cannot find package '${name}' imported from /app`), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
jest.mock('ioredis', () => {
  throw notFound(missing || 'ioredis');
});
jest.mock('redis', () => {
  throw notFound('redis');
});

beforeEach(() => {
  jest.resetModules();
  missing = '';
});

describe.each(PLATFORMS)('%s', (_title, platform) => {
  beforeEach(() => {
    process.env['REDIS_URL'] = URL_OF_REDIS;
  });
  afterEach(() => delete process.env['REDIS_URL']);

  it('REDIS_URL stops the start-up with the variable, the code and the remedy', async () => {
    await expect(start(platform)).rejects.toMatchObject({
      code: 'ASEC_OPTION_TYPE',
      option: 'REDIS_URL',
      message:
        'REDIS_URL needs a Redis client, and neither ioredis nor redis is installed. Run "npm install ioredis". Without REDIS_URL, ' +
        'each process counts in its own memory. [ASEC_OPTION_TYPE]',
    });
  });

  it('a client whose own dependency is missing is not taken for one that is not installed', async () => {
    missing = 'denque';
    await expect(start(platform)).rejects.toThrow("Cannot find package 'denque'");
  });

  it('without limits, the URL is not used', async () => {
    expect((await (await start(platform, { options: { rateLimit: false } })).send('/')).status).toBe(404);
  });
});

it.each([
  ['createRedisStore(url)', createRedisStore],
  ['createRedisKeyStore(url)', createRedisKeyStore],
])('%s says the same, without the password', async (option, create) => {
  const failure = await create(URL_OF_REDIS).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'ASEC_OPTION_TYPE', option });
  expect(String(failure)).not.toContain(PASSWORD);
});
