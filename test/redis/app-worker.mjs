// One of several replicas of an app on one Redis, as `main.ts` would start it. It sends its port, and its events as they happen.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AgentSecurityModule, SecurityEvents } from '../../dist/index.js';
import { createRedisKeyStore } from '../../dist/redis/index.js';

const { url, secret, isFastify, rateLimit, auth } = JSON.parse(process.argv[2]);
process.env.REDIS_URL = url;

class HelloController {
  get() {
    return {};
  }
}
Controller()(HelloController);
Get()(HelloController.prototype, 'get', Object.getOwnPropertyDescriptor(HelloController.prototype, 'get'));

// A message is the only way to learn of a change within the test.
const store = await createRedisKeyStore(url, { refreshMs: 60_000 });
class AppModule {}
Module({
  controllers: [HelloController],
  imports: [AgentSecurityModule.forRoot({ rateLimit, auth: { apiKeys: { store, secret }, ...auth } })],
})(AppModule);

const app = await NestFactory.create(AppModule, ...(isFastify ? [new FastifyAdapter()] : []), {
  logger: false,
});
app.get(SecurityEvents).all.subscribe(({ type }) => process.send({ event: type }));
await app.listen(0, '127.0.0.1');
process.send({ port: app.getHttpServer().address().port });
