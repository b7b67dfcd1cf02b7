/* Resolves imports for Jest: the names of this package to its sources, and `./x.js` to `./x.ts` as TypeScript does. A `moduleNameMapper` would
   do the same, but is resolved anew on each import of each file. */
const { existsSync } = require('node:fs');
const { join, resolve } = require('node:path');

const SRC = resolve(__dirname, '../../../src');
const SOURCES = new Map([
  ['nestjs-agent-security', join(SRC, 'index.ts')],
  ['nestjs-agent-security/redis', join(SRC, 'redis/index.ts')],
]);

module.exports = (request, options) => {
  const source = SOURCES.get(request);
  if (source !== undefined) return source;
  if (request.startsWith('.') && request.endsWith('.js') && !options.basedir.includes('/node_modules/')) {
    const typescript = resolve(options.basedir, `${request.slice(0, -'js'.length)}ts`);
    if (existsSync(typescript)) return typescript;
  }
  return options.defaultResolver(request, options);
};
