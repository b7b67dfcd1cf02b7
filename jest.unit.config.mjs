// npm run test:unit: everything that npm run test:e2e leaves out. It needs no build, no server and no browser.
import config from './jest.config.mjs';
import { notUnit } from './jest.e2e.config.mjs';

// The comparisons with models take fewer random steps here; MODEL_STEPS=1000000 makes it a million.
process.env.MODEL_STEPS ??= '20000';

/** @type {import('jest').Config} */
export default {
  ...config,
  testPathIgnorePatterns: [...config.testPathIgnorePatterns, ...notUnit],
};
