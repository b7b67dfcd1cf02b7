/* The servers that receive what an anonymous client would send to keep them busy. Decorators are called as functions, so that plain Node
 * runs this file. */
import 'reflect-metadata';
import { createServer } from 'node:http';
import { Body, Controller, Get, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AgentSecurityModule, AgentTool, EMPTY_BOOK } from '../../dist/index.js';

class Routes {
  echo() {
    return {};
  }

  post() {
    return {};
  }

  tool() {
    return {};
  }
}

function decorate({ prototype }, name, ...decorators) {
  const property = Object.getOwnPropertyDescriptor(prototype, name);
  for (const decorator of decorators) decorator(prototype, name, property);
}
decorate(Routes, 'echo', Get('echo'));
decorate(Routes, 'post', Post('echo'));
decorate(Routes, 'tool', Post('tool'), AgentTool('write_note', { impact: 'low' }));
Body()(Routes.prototype, 'post', 0);
Body()(Routes.prototype, 'tool', 0);
Controller()(Routes);

/** The same routes without the module. */
class Plain {
  echo() {
    return {};
  }

  post() {
    return {};
  }
}
decorate(Plain, 'echo', Get('echo'));
decorate(Plain, 'post', Post(['echo', 'tool']));
Body()(Plain.prototype, 'post', 0);
Controller()(Plain);

const COMMON = {
  rateLimit: { limits: false, flood: false },
  trustProxy: 'loopback',
  audit: { sinks: [{ name: 'none', write: async () => undefined }] },
};

const OPTIONS = {
  /** No route needs a credential. */
  open: { ...COMMON, auth: false, cspReports: true },
  /** Everybody does. */
  closed: {
    ...COMMON,
    mcp: { publicTools: ['open'], maxBytes: 4 * 1024 ** 2 },
    auth: {
      apiKeys: { secret: 'x'.repeat(40), book: EMPTY_BOOK },
      failedAttempts: false,
      tokenEndpoint: {
        issuer: 'https://api.example.com',
        resources: ['https://api.example.com'],
        insecureEphemeralKey: true,
      },
    },
  },
};

async function startApp({ platform, stack }) {
  if (platform === 'node') {
    // Node's own server: it reads the same bytes and answers.
    const server = createServer((request, response) => request.resume().on('end', () => response.end('{}')));
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    return server.address().port;
  }
  class Root {}
  const imports = stack === 'bare' ? [] : [AgentSecurityModule.forRoot(OPTIONS[stack])];
  Module({ imports, controllers: [stack === 'bare' ? Plain : Routes] })(Root);
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(Root, adapter, { logger: ['error'] });
  await app.listen(0, '127.0.0.1');
  return app.getHttpServer().address().port;
}

/** CPU time so far, or what it takes to parse the bytes of a text so often. */
process.on('message', ({ parse, rounds = 0 }) => {
  const bytes = Buffer.from(parse ?? '');
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) JSON.parse(bytes.toString());
  const { user, system } = process.cpuUsage(rounds === 0 ? undefined : before);
  process.send({ cpuMicros: user + system });
});
process.send({ port: await startApp(JSON.parse(process.argv[2])) });
