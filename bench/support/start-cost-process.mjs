/* Starts an app with or without the published module, and says how long it took with the import, and the heap behind it. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const { platform, stack } = JSON.parse(process.argv[2]);
const adapters = {
  fastify: async () => new (await import('@nestjs/platform-fastify')).FastifyAdapter(),
  express: async () => new (await import('@nestjs/platform-express')).ExpressAdapter(),
};
const adapter = await adapters[platform]();

class StartModule {}
const beginMs = performance.now();
const imports =
  stack === 'ours' ? [(await import('../../dist/published/index.js')).AgentSecurityModule.forRoot()] : [];
Module({ imports })(StartModule);
const app = await NestFactory.create(StartModule, adapter, { logger: false });
await app.listen(0, '127.0.0.1');
const startMs = performance.now() - beginMs;
globalThis.gc();
process.send({ startMs, heapMB: process.memoryUsage().heapUsed / 1e6 }, () => process.exit());
