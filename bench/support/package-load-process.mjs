/* Loads Nest, then the package from a folder of the repository on top of it, and says what the second took: CPU time, which other processes disturb less. */
const { folder } = JSON.parse(process.argv[2]);
await import('@nestjs/core');
await import('@nestjs/common');
await import('@nestjs/platform-fastify');
const heap = () => {
  globalThis.gc();
  return process.memoryUsage().heapUsed;
};
const before = heap();
const begin = process.cpuUsage();
await import(`../../${folder}/index.js`);
const { user, system } = process.cpuUsage(begin);
process.send({ loadMs: (user + system) / 1000, loadBytes: heap() - before }, () => process.exit());
