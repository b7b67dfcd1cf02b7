// npm run test:e2e: the suites that start apps, other processes or servers, read the whole repository, or take millions of steps.
import config from './jest.config.mjs';

export const notUnit = [
  '/test/e2e/.*\\.spec\\.ts$',
  '/test/redis/.*\\.spec\\.ts$',
  '/test/deployment/.*\\.spec\\.ts$',
  '/test/consumers/.*\\.spec\\.ts$',
  '/test/audit/(?:faults|kill|shutdown)\\.spec\\.ts$',
  '/test/check/(?:cli|planted)\\.spec\\.ts$',
  '/test/common/(?:redis-url|response-end)\\.spec\\.ts$',
  '/test/limiter/table/quota-table\\.spec\\.ts$',
  '/test/(?:docs|missing-options|package|parsers\\.properties|readme|reference)\\.spec\\.ts$',
  '/test/(?:regular-expressions|sample|secrets-in-errors)\\.spec\\.ts$',
];

const { testMatch: _all, ...rest } = config;

/** @type {import('jest').Config} */
export default { ...rest, testRegex: notUnit };
