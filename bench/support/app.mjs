/* The servers that are measured: one small app behind different protections. Decorators are called as functions, so that plain Node
 * runs this file. */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Body, Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import fastifyHelmet from '@fastify/helmet';
import helmet from 'helmet';
import { AgentSecurityModule, AgentTool, RateLimit } from '../../dist/index.js';
import { SECRET } from './agent.mjs';
import { installFloor } from './floor.mjs';
import { installTextFloor } from './text-floor.mjs';

export const ORIGIN = 'https://app.example.com';

/** Out of reach for any run. */
const HIGH = 100_000_000;

/**
 * @typedef {object} Server
 * @property {'express' | 'fastify'} platform
 * @property {keyof typeof STACKS} stack
 * @property {number} [limit] requests a minute and client; out of reach by default
 * @property {'module' | 'route' | 'guard' | 'flood'} [rejectedBy] which of our limits `limit` is: the module's, the route's own, one with a
 *   key, which the guard decides each time, or `flood`
 * @property {boolean} [oneClient] whether all requests are one client's, for the throttler as for everybody
 * @property {string[]} [hosts] listed beside loopback
 * @property {string[]} [origins]
 * @property {number} [routes]
 * @property {boolean} [proxied] whether the peer is a trusted proxy
 * @property {boolean} [withAgent] whether requests carry the API key of `book`
 * @property {import('../../dist/index.js').KeyBook} [book]
 * @property {boolean} [tool] adds `POST /tool`, with its audit records in `folder`
 * @property {boolean} [mcp] adds `POST /mcp`
 * @property {string} [folder]
 */

const STACKS = {
  bare: {},
  /** What the documentation of Nest recommends, assembled from its parts. */
  assembled: {
    imports: server => [throttler(server, ['default'])],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    configure(app) {
      app.use(requestId);
      app.use(helmet());
      app.enableCors({ origin: [ORIGIN] });
    },
  },
  'assembled-3-limits': {
    imports: server => [throttler(server, ['short', 'medium', 'long'])],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    configure: app => STACKS.assembled.configure(app),
  },
  /** The same with Fastify's own plugins and hooks in place of middleware. */
  'assembled-plugins': {
    imports: server => [throttler(server, ['default'])],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    async configure(app) {
      app.getHttpAdapter().getInstance().addHook('onRequest', requestIdHook);
      await app.register(fastifyHelmet);
      app.enableCors({ origin: [ORIGIN] });
    },
  },
  nest: {
    imports: server => [throttler(server, ['default'])],
    providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    configure(app) {
      app.useSecurityHeaders();
      app.enableCors({ origin: [ORIGIN] });
    },
  },
  floor: {
    configure: (app, server) => installFloor(app, { limit: server.limit ?? HIGH }),
  },
  'text-floor': { configure: installTextFloor },
  ours: {
    imports: server => [AgentSecurityModule.forRoot(ourOptions(server))],
  },
};

/** @param {Server} server */
export async function createApp(server) {
  const { imports = () => [], providers = [], configure = () => undefined } = STACKS[server.stack];
  class BenchModule {}
  Module({ imports: imports(server), providers, controllers: [createController(server)] })(BenchModule);
  const app = await NestFactory.create(BenchModule, createAdapter(server), { logger: ['error', 'warn'] });
  await configure(app, server);
  return app;
}

/** The module reads the client by itself; the throttler takes it from the framework. */
function createAdapter({ platform, stack, proxied = false }) {
  const trusts = proxied && stack.startsWith('assembled');
  if (platform === 'fastify') return new FastifyAdapter(trusts ? { trustProxy: 'loopback' } : {});
  const adapter = new ExpressAdapter();
  if (trusts) adapter.set('trust proxy', 'loopback');
  return adapter;
}

/** `GET /` and `POST /`, and as many other routes behind them as the settings say. */
function createController({ stack, routes = 1, limit, rejectedBy, tool = false, mcp = false }) {
  class BenchController {
    get() {
      return { hello: 'world' };
    }
    post(body) {
      return { fields: Object.keys(body).length };
    }
    tool() {
      return { written: true };
    }
    mcp(body) {
      return { jsonrpc: '2.0', id: body.id, result: { content: [{ type: 'text', text: 'written' }] } };
    }
  }
  const { prototype } = BenchController;
  const route = (name, method) => method(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
  route('get', Get());
  route('post', Post());
  Body()(prototype, 'post', 0);
  if (tool) {
    route('tool', Post('tool'));
    if (stack === 'ours') route('tool', AgentTool('write_note', { impact: 'low' }));
    Body()(prototype, 'tool', 0);
  }
  if (mcp) {
    route('mcp', Post('mcp'));
    route('mcp', HttpCode(200));
    Body()(prototype, 'mcp', 0);
  }
  for (let index = 1; index < routes; index++) {
    const name = `route${index}`;
    Object.defineProperty(prototype, name, { value: () => ({ index }), configurable: true, writable: true });
    route(name, Get(`route-${index}`));
  }
  if (rejectedBy === 'route') RateLimit(`${HIGH}/second`, `${limit}/minute`)(BenchController);
  if (rejectedBy === 'guard') RateLimit({ limit: `${limit}/minute`, key: () => 'one' })(BenchController);
  Controller()(BenchController);
  return BenchController;
}

function ourOptions(server) {
  const { limit = HIGH, rejectedBy = 'module', hosts = [], origins = [ORIGIN], book, folder } = server;
  const limits = rejectedBy === 'module' ? limit : HIGH;
  const flood = rejectedBy === 'flood' ? limit : HIGH;
  return {
    hosts: [...hosts, 'localhost', '127.0.0.1'],
    cors: { origins },
    rateLimit: { limits: [`${HIGH}/second`, `${limits}/minute`], flood: `${flood}/minute` },
    ...(server.proxied ? { trustProxy: 'loopback' } : {}),
    ...(book === undefined ? {} : { auth: { apiKeys: { book, secret: SECRET } } }),
    ...(server.tool ? { audit: { file: join(folder, 'audit.jsonl'), logger: false } } : {}),
    ...(server.mcp ? { mcp: { path: '/mcp' } } : {}),
  };
}

const WINDOWS_MS = { default: 60_000, short: 1_000, medium: 10_000, long: 60_000 };

/** As many as keep the throttler's log of each client as short as usual limits would: this is its best case. */
const MANY_CLIENTS = 1_000;

function throttler({ limit = HIGH, oneClient = false, proxied = false }, names) {
  const trackers = Array.from({ length: MANY_CLIENTS }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  let last = 0;
  const getTracker = () => {
    last = (last + 1) % MANY_CLIENTS;
    return trackers[last];
  };
  return ThrottlerModule.forRoot({
    throttlers: names.map(name => ({ name, ttl: WINDOWS_MS[name], limit })),
    ...(oneClient || proxied ? {} : { getTracker }),
  });
}

const ACCEPTED_ID = /^[\w.:@+=-]{1,128}$/;

function chooseId(request) {
  const incoming = request.headers['x-request-id'];
  return typeof incoming === 'string' && ACCEPTED_ID.test(incoming) ? incoming : randomUUID();
}

function requestId(request, response, next) {
  request.id = chooseId(request);
  response.setHeader('X-Request-ID', request.id);
  next();
}

function requestIdHook(request, reply, done) {
  request.id = chooseId(request);
  reply.header('X-Request-ID', request.id);
  done();
}
