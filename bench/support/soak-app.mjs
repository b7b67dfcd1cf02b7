/* An app with everything on, in a process of its own. It sends its port, and its memory on each message. */
import 'reflect-metadata';
import { Body, Controller, Delete, Get, Module, Param, Post, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { from } from 'rxjs';

const { platform, book, secret, auditFile } = JSON.parse(process.argv[2]);
const { AgentSecurityModule, AgentTool, MaxBody, RateLimit, Scopes } = await import('../../dist/index.js');

let unhandled = 0;
process.on('unhandledRejection', () => unhandled++);

class Routes {
  deleted = 0;
  read() {
    return { text: 'read' };
  }
  remove() {
    this.deleted++;
    return { deleted: this.deleted };
  }
  write(body) {
    return { length: String(body?.text ?? '').length };
  }
  stream() {
    return from([{ data: 'one' }, { data: 'two' }]);
  }
  mcp(body) {
    return { jsonrpc: '2.0', id: body?.id ?? null, result: { content: [] } };
  }
}
const decorate = (name, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(Routes.prototype, name);
  for (const decorator of decorators) decorator(Routes.prototype, name, descriptor);
};
decorate('read', Get('read'), RateLimit({ limit: '100000/minute', alertAt: [0.5, 1] }));
decorate(
  'remove',
  Delete('notes/:id'),
  AgentTool('delete_note', { impact: 'high', scopes: ['notes:delete'] }),
);
decorate('write', Post('notes'), AgentTool('write_note', { redact: ['text'] }), MaxBody('4kb'));
decorate('stream', Sse('stream'), RateLimit({ limit: 50, algorithm: 'concurrency' }), Scopes('data:read'));
decorate('mcp', Post('mcp'));
Param('id')(Routes.prototype, 'remove', 0);
Body()(Routes.prototype, 'write', 0);
Body()(Routes.prototype, 'mcp', 0);
Controller()(Routes);

class App {}
Module({
  imports: [
    AgentSecurityModule.forRoot({
      cors: { origins: ['https://app.example.com'], credentials: true },
      rateLimit: { limits: ['100000/second'], flood: '100000/second' },
      auth: {
        apiKeys: { book, secret },
        failedAttempts: '1000/second',
        tokenEndpoint: { issuer: 'http://localhost:3000', insecureEphemeralKey: true },
      },
      mcp: { path: '/mcp' },
      audit: { file: auditFile, logger: false },
      timeout: { handler: '5s' },
      cspReports: {},
    }),
  ],
  controllers: [Routes],
})(App);

const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
const app = await NestFactory.create(App, adapter, { logger: false });
await app.listen(0, '127.0.0.1');
process.on('message', async message => {
  if (message === 'memory') {
    globalThis.gc();
    const { heapUsed, rss } = process.memoryUsage();
    process.send({ heapUsed, rss, unhandled });
  } else {
    await app.close();
    process.disconnect();
  }
});
process.send({ port: app.getHttpServer().address().port });
