/* An app that says who called it. */
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExpressAdapter } from '@nestjs/platform-express';

export async function startAuthApp(book, secret, platform = 'fastify') {
  const { AgentSecurityModule, CurrentAgent } = await import('../../dist/index.js');
  class Routes {
    async me(agent) {
      // Another turn of the event loop, so that requests overlap.
      await new Promise(resolve => setImmediate(resolve));
      return { id: agent.id, claims: agent.claims };
    }
  }
  const me = Object.getOwnPropertyDescriptor(Routes.prototype, 'me');
  Get('me')(Routes.prototype, 'me', me);
  CurrentAgent()(Routes.prototype, 'me', 0);
  Controller()(Routes);
  class App {}
  Module({
    imports: [
      AgentSecurityModule.forRoot({
        rateLimit: false,
        auth: { apiKeys: { book, secret }, failedAttempts: false, openapi: false },
      }),
    ],
    controllers: [Routes],
  })(App);
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(App, adapter, { logger: false });
  await app.listen(0, '127.0.0.1');
  return { port: app.getHttpServer().address().port, close: () => app.close() };
}
