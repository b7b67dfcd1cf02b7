// The app under abuse, in a process of its own, on the built package: one endpoint of every kind, with small bounds, so that a leaked
// concurrency lease or audit reservation is soon visible. It counts what it runs and what is recorded, and reports both to its parent.
import 'reflect-metadata';
import { Body, Controller, Get, Module, Post, Req, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { defer, finalize, interval, map, take } from 'rxjs';
import { AgentSecurityModule, AgentTool, AuditTrail, Public, RateLimit } from '../../../dist/index.js';

const { platform, book, secret, redisUrl } = JSON.parse(process.argv[2]);
if (redisUrl !== undefined) process.env['REDIS_URL'] = redisUrl;

/** What went wrong in the process itself. */
const faults = [];
process.on('unhandledRejection', reason => faults.push(`unhandled rejection: ${String(reason)}`));
process.on('warning', warning => {
  if (warning.name === 'MaxListenersExceededWarning') faults.push(String(warning));
});

/** How often a handler of a tool began, by request ID. */
const runs = new Map();
/** The audit records of a request, by its ID: `started`, `finished` and the outcome. */
const records = new Map();
let running = 0;
let streams = 0;

const later = () => new Promise(resolve => setTimeout(resolve, Math.random() * 3));

async function runTool(request) {
  runs.set(request.id, (runs.get(request.id) ?? 0) + 1);
  running++;
  try {
    await later();
    return { ran: true };
  } finally {
    running--;
  }
}

class Routes {
  plain() {
    return { text: 'plain' };
  }
  echo(body) {
    return { length: JSON.stringify(body ?? null).length };
  }
  stream() {
    return defer(() => {
      streams++;
      return interval(1).pipe(
        take(400),
        map(index => ({ data: String(index) })),
        finalize(() => streams--),
      );
    });
  }
  async slow() {
    running++;
    try {
      await later();
      return { slow: true };
    } finally {
      running--;
    }
  }
  tool(request) {
    return runTool(request);
  }
  async mcp(body, request) {
    if (body?.method === 'tools/call') await runTool(request);
    return { jsonrpc: '2.0', id: body?.id ?? null, result: { content: [] } };
  }
}
const decorate = (target, name, ...decorators) => {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
  for (const decorator of decorators) decorator(target.prototype, name, descriptor);
};
const CONCURRENCY = 16;
decorate(Routes, 'plain', Get('plain'), Public());
decorate(Routes, 'echo', Post('echo'), Public());
decorate(Routes, 'stream', Sse('stream'));
decorate(
  Routes,
  'slow',
  Get('slow'),
  RateLimit({ limit: CONCURRENCY, algorithm: 'concurrency', key: () => 'all' }),
);
decorate(Routes, 'tool', Post('tool'), AgentTool('danger', { impact: 'high' }));
decorate(Routes, 'mcp', Post('mcp'));
Body()(Routes.prototype, 'echo', 0);
Req()(Routes.prototype, 'tool', 0);
Body()(Routes.prototype, 'mcp', 0);
Req()(Routes.prototype, 'mcp', 1);
Controller()(Routes);

class Gateway {
  ping() {
    return { event: 'pong', data: 'pong' };
  }
}
decorate(Gateway, 'ping', SubscribeMessage('ping'));
WebSocketServer()(Gateway.prototype, 'server');
WebSocketGateway({ path: '/ws' })(Gateway);

const sink = {
  name: 'memory',
  // A sink of a few milliseconds, so that clients leave while a record is on its way.
  async write(lines) {
    await later();
    for (const { record } of lines) {
      if (record.requestId === undefined) continue;
      const seen = records.get(record.requestId) ?? {
        started: 0,
        finished: 0,
        rejected: 0,
        outcome: undefined,
        status: undefined,
        tool: record.tool,
      };
      if (record.event === 'started') seen.started++;
      else if (record.event === 'finished') {
        seen.finished++;
        seen.outcome = record.outcome;
        seen.status = record.status;
      } else if (record.event === 'rejected') seen.rejected++;
      records.set(record.requestId, seen);
    }
  },
  // The last that a closing app does.
  close() {
    process.send?.({ found: disagreements().slice(0, 5), faults });
  },
};

class App {}
Module({
  imports: [
    AgentSecurityModule.forRoot({
      rateLimit: { limits: ['100000000/second'], flood: '100000000/second' },
      auth: {
        apiKeys: { book, secret },
        failedAttempts: '100000000/second',
        tokenEndpoint: { issuer: 'http://localhost:3000', insecureEphemeralKey: true },
      },
      mcp: { path: '/mcp' },
      tools: { policies: { danger_over_mcp: { impact: 'high' } } },
      audit: { sinks: [sink], logger: false, maxQueued: 200 },
      cspReports: true,
    }),
  ],
  controllers: [Routes],
  providers: [Gateway],
})(App);

const { [`${platform}Adapter`]: Adapter } = await import(`@nestjs/platform-${platform.toLowerCase()}`);
const app = await NestFactory.create(App, new Adapter(), { logger: false, abortOnError: false });
app.useWebSocketAdapter(new WsAdapter(app));
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
const server = app.getHttpServer();

const connections = () =>
  new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

/** Tool calls whose record and run disagree; forgets those that have been compared. */
function disagreements() {
  const found = [];
  for (const [id, count] of runs) {
    const { started = 0, finished = 0, rejected = 0 } = records.get(id) ?? {};
    if (count !== 1 || started !== 1 || finished !== 1 || rejected !== 0)
      found.push(`${id}: ran ${count} times, ${started} started, ${finished} finished, ${rejected} rejected`);
  }
  for (const [id, { started, finished, rejected, outcome, status, tool }] of records) {
    if (runs.has(id)) continue;
    // A call that never ran is rejected, once, whether or not its start was recorded.
    const isRejected = finished === 0 && rejected === 1;
    // Over MCP, the module records the start in front of the platform. It does not see whether the endpoint still ran a call whose client
    // left after that; and Fastify answers 503 to a request that reaches its router while it closes.
    const isUnderway = tool === 'danger_over_mcp' && started === 1 && finished === 1 && rejected === 0;
    const mayHaveRun = outcome === 'aborted';
    const isClosing = outcome === 'failed' && status === 503 && platform === 'Fastify';
    if (!isRejected && !(isUnderway && (mayHaveRun || isClosing)))
      found.push(
        `${id}: ${tool} never ran, ${started} started, ${finished} finished (${outcome}), ${rejected} rejected`,
      );
  }
  runs.clear();
  records.clear();
  return found;
}

process.on('message', async message => {
  if (message === 'activity') {
    process.send({ running, streams, connections: await connections() });
  } else if (message === 'result') {
    await app.get(AuditTrail).flush();
    const calls = runs.size;
    const found = disagreements();
    globalThis.gc();
    const resources = process.getActiveResourcesInfo().filter(name => /TCP|Pipe/.test(name)).length;
    process.send({
      calls,
      found: found.slice(0, 5),
      faults,
      heapBytes: process.memoryUsage().heapUsed,
      resources,
    });
  } else {
    await app.close();
    process.disconnect();
  }
});
process.send({ port: server.address().port, concurrency: CONCURRENCY });
