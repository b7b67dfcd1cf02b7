/* Node's test environment. Each test file loads its modules anew, some 2,000 for an app: a worker compiles the text of a module once, and V8
   reads the compiled form for each further file. */
const vm = require('node:vm');
const { TestEnvironment } = require('jest-environment-node');

const { compileFunction } = vm;
const compiled = new Map();

function compileOnce(source, params, options) {
  const known = compiled.get(options?.filename);
  if (known?.source === source) {
    return compileFunction(source, params, { ...options, cachedData: known.cachedData });
  }
  const result = compileFunction(source, params, { ...options, produceCachedData: true });
  if (options?.filename !== undefined) {
    compiled.set(options.filename, { source, cachedData: result.cachedData });
  }
  return result;
}

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    // V8 counts coverage differently in what it did not compile itself.
    if (!config.globalConfig.collectCoverage) vm.compileFunction = compileOnce;
  }
};
