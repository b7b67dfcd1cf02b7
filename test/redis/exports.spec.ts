import * as surface from '../../src/redis/index.js';

describe('nestjs-agent-security/redis', () => {
  it('exports exactly this', () => {
    expect(Object.keys(surface).toSorted()).toEqual([
      'RedisKeyStore',
      'RedisQuotaStore',
      'createRedisKeyStore',
      'createRedisStore',
    ]);
  });
});
