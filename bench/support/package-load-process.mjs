/* Loads Nest, then the package on top of it, and says how long the second took. */
await import('@nestjs/core');
await import('@nestjs/common');
await import('@nestjs/platform-fastify');
const beginMs = performance.now();
await import('../../dist/index.js');
process.send({ loadMs: performance.now() - beginMs }, () => process.exit());
