// Jest's own ESM mode does not run NestJS 12 on Node 20 and 22, so the tests run a CommonJS compile of src. What is
// published is ESM: a spec that concerns the built package starts a plain Node process on dist.

/** Dependencies published as ESM only, at any depth; everything else in node_modules is loaded as it is. */
const esmOnly = ['@nestjs', 'content-disposition', 'cookie', 'jose', 'oauth4webapi', 'openid-client'];

/**
 * Arguments of each module: any other global is looked up by name in the sandbox at each use, which takes longer than most functions. A name
 * that a dependency declares at its top (Buffer, process) or that fake timers replace (Date) cannot be here.
 */
const sandboxInjectedGlobals = (
  'Array BigInt Float64Array Int32Array JSON Map Math Number Object Reflect RegExp Set String ' +
  'Uint16Array Uint32Array Uint8Array WeakMap'
).split(' ');

/** @type {import('jest').Config} */
export default {
  testEnvironment: '<rootDir>/test/support/jest/environment.cjs',
  resolver: '<rootDir>/test/support/jest/resolver.cjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/fixtures/', '<rootDir>/test/consumers/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/test/consumers/', '<rootDir>/sample/.*/dist/'],
  testTimeout: 30_000,
  maxWorkers: 2,
  restoreMocks: true,
  sandboxInjectedGlobals,
  transform: {
    '^.+\\.m?[jt]s$': [
      '@swc/jest',
      {
        swcrc: false,
        // A failure in CI is read by its test's name; without maps the files load faster.
        sourceMaps: process.env['CI'] ? false : 'inline',
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  transformIgnorePatterns: [
    `/node_modules/(?!(?:.+/node_modules/)?(?:${esmOnly.join('|')})/)`,
    '<rootDir>/dist/',
  ],
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
};
