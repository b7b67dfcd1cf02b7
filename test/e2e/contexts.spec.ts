/* What is no HTTP request: gateway messages, microservice messages and GraphQL resolvers meet the module's global guards and its
 * filter too, and must come out as they would without it. */
import type { AddressInfo } from 'node:net';
import {
  Controller,
  type DynamicModule,
  ForbiddenException,
  Get,
  type INestMicroservice,
  Module,
  NotFoundException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  AbstractGraphQLDriver,
  Args,
  Field,
  type GqlModuleOptions,
  GraphQLModule,
  Int,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import {
  ClientProxyFactory,
  EventPattern,
  type MicroserviceOptions,
  MessagePattern,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { graphql } from 'graphql';
import { firstValueFrom } from 'rxjs';
import { WebSocket } from 'ws';
import { AgentSecurityModule, AllowHosts, RateLimit, SkipRateLimit } from '../../src/index.js';
import { CapturingLogger } from '../support/logger.js';
import { sinceNest } from '../support/nest-version.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

/** Unhandled rejections and uncaught exceptions of a test. */
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeAll(() => {
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});
afterAll(() => {
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
});
beforeEach(() => void unhandled.splice(0));
afterEach(async () => {
  // Unhandled rejections are reported once the queue of promises is empty.
  await new Promise(resolve => setImmediate(resolve));
  if (unhandled.length > 0) throw new AggregateError(unhandled, 'Something was left unhandled');
});

/** An app with the module and the same app without it, which shows what Nest itself does. */
const WITH_AND_WITHOUT: readonly (readonly [title: string, parts: AppParts])[] = [
  ['with the module', { options: { rateLimit: { limits: '1/minute' } } }],
  ['without the module', { security: false }],
];

@WebSocketGateway({ path: '/ws' })
class EchoGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() text: string): unknown {
    return { event: 'echo', data: text };
  }

  @RateLimit('1/minute')
  @SubscribeMessage('limited')
  limited(@MessageBody() text: string): unknown {
    return { event: 'limited', data: text };
  }

  @AllowHosts('admin.example.com')
  @SubscribeMessage('narrowed')
  narrowed(@MessageBody() text: string): unknown {
    return { event: 'narrowed', data: text };
  }

  @SubscribeMessage('ws-exception')
  wsException(): never {
    throw new WsException('shown');
  }

  @SubscribeMessage('http-exception')
  httpException(): never {
    throw new NotFoundException('hidden');
  }

  @SubscribeMessage('error')
  error(): never {
    throw new Error('hidden');
  }
}

/** Sends messages one after the other, each when the answer to the one before is there. */
async function converse(port: number, events: readonly string[]): Promise<unknown[]> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const answers: unknown[] = [];
  try {
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    for (const event of events) {
      const answered = new Promise<string>(resolve => {
        socket.once('message', data => resolve(String(data)));
      });
      socket.send(JSON.stringify({ event, data: 'hello' }));
      const { event: name, data } = JSON.parse(await answered) as { event: string; data: unknown };
      answers.push([name, data]);
    }
  } finally {
    socket.terminate();
  }
  return answers;
}

const exceptionOf = (pattern: string, message: string): unknown => [
  'exception',
  { status: 'error', message, cause: { pattern, data: 'hello' } },
];

describe.each(PLATFORMS)('gateways on %s', (_title, platform) => {
  describe.each(WITH_AND_WITHOUT)('%s', (_with, parts) => {
    const startGateway = (): Promise<RunningApp> =>
      start(platform, {
        ...parts,
        providers: [EchoGateway],
        configure: app => void app.useWebSocketAdapter(new WsAdapter(app)),
      });

    const rows: readonly [title: string, events: string[], expected: unknown[]][] = [
      [
        'answers more messages than the HTTP limits',
        Array<string>(3).fill('echo'),
        Array.from({ length: 3 }, () => ['echo', 'hello']),
      ],
      ['does not check @AllowHosts() on a message', ['narrowed'], [['narrowed', 'hello']]],
    ];

    it.each(rows)('%s', async (_row, events, expected) => {
      const { port } = await startGateway();
      expect(await converse(port, events)).toEqual(expected);
    });

    const exceptions: typeof rows = [
      ['a WsException', ['ws-exception', 'echo'], [exceptionOf('ws-exception', 'shown'), ['echo', 'hello']]],
      [
        'an HttpException',
        ['http-exception', 'echo'],
        [exceptionOf('http-exception', 'Internal server error'), ['echo', 'hello']],
      ],
      ['an Error', ['error', 'echo'], [exceptionOf('error', 'Internal server error'), ['echo', 'hello']]],
    ];

    sinceNest([12, 0], 'Nest 11 sends exceptions to socket.io only')('exceptions', () => {
      it.each(exceptions)('%s', async (_row, events, expected) => {
        const { port } = await startGateway();
        expect(await converse(port, events)).toEqual(expected);
      });
    });
  });
});

const handled: unknown[] = [];

@Controller()
class MessageController {
  @Get()
  page(): string {
    return 'page';
  }

  @MessagePattern('sum')
  sum(numbers: number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
  }

  @RateLimit('1/minute')
  @AllowHosts('admin.example.com')
  @MessagePattern('limited')
  limited(): string {
    return 'limited';
  }

  @MessagePattern('rpc-exception')
  rpcException(): never {
    throw new RpcException('shown');
  }

  @MessagePattern('http-exception')
  httpException(): never {
    throw new ForbiddenException('hidden');
  }

  @MessagePattern('not-found')
  notFound(): never {
    throw new NotFoundException('hidden');
  }

  @MessagePattern('error')
  error(): never {
    throw new Error('hidden');
  }

  @EventPattern('failing-event')
  failingEvent(_data: unknown): void {
    handled.push('failing-event');
    throw new Error('hidden');
  }
}

const MESSAGES: readonly [title: string, pattern: string, expected: unknown][] = [
  ['an answer', 'sum', { answer: 6 }],
  ['@RateLimit() and @AllowHosts(), which are for requests', 'limited', { answer: 'limited' }],
  ['an RpcException', 'rpc-exception', { error: { status: 'error', message: 'shown' } }],
  ['an HttpException', 'http-exception', { error: { status: 'error', message: 'Internal server error' } }],
  ['a NotFoundException', 'not-found', { error: { status: 'error', message: 'Internal server error' } }],
  ['an Error', 'error', { error: { status: 'error', message: 'Internal server error' } }],
];

const tcp = (): MicroserviceOptions => ({
  transport: Transport.TCP,
  options: { host: '127.0.0.1', port: 0 },
});

/** The answer to each of some messages, sent twice over: a quota of one would reject the second. */
async function call(port: number, pattern: string): Promise<unknown[]> {
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  const answers: unknown[] = [];
  try {
    for (let round = 0; round < 2; round++) {
      answers.push(
        await firstValueFrom(client.send(pattern, [1, 2, 3])).then(
          answer => ({ answer: answer as unknown }),
          (error: unknown) => ({ error }),
        ),
      );
    }
  } finally {
    await client.close();
  }
  return answers;
}

/** Where a TCP microservice listens: it has no public accessor for its server's address. */
function portOf(microservice: INestMicroservice): number {
  const { server } = microservice.unwrap<
    { server?: { address(): AddressInfo } } | { address(): AddressInfo }
  >() as {
    server?: { address(): AddressInfo };
    address?: () => AddressInfo;
  };
  return (server ?? microservice.unwrap<{ address(): AddressInfo }>()).address().port;
}

describe.each(PLATFORMS)('a hybrid app on %s', (_title, platform) => {
  describe.each(WITH_AND_WITHOUT)('%s', (_with, parts) => {
    async function startHybrid(): Promise<{ running: RunningApp; port: number }> {
      let microservice!: INestMicroservice;
      const running = await start(platform, {
        ...parts,
        controllers: [MessageController],
        configure: async app => {
          microservice = app.connectMicroservice<MicroserviceOptions>(tcp(), { inheritAppConfig: true });
          await app.startAllMicroservices();
        },
      });
      return { running, port: portOf(microservice) };
    }

    it.each(MESSAGES)('%s', async (_row, pattern, expected) => {
      const { port } = await startHybrid();
      expect(await call(port, pattern)).toEqual([expected, expected]);
    });

    it('an event whose handler throws leaves the app running', async () => {
      const { running, port } = await startHybrid();
      const client = ClientProxyFactory.create({
        transport: Transport.TCP,
        options: { host: '127.0.0.1', port },
      });
      handled.length = 0;
      await firstValueFrom(client.emit('failing-event', {}), { defaultValue: undefined });
      expect(await firstValueFrom(client.send('sum', [1]))).toBe(1);
      await client.close();
      expect(handled).toEqual(['failing-event']);
      expect((await running.send('/')).status).toBe(200);
    });
  });

  it('still limits its HTTP side', async () => {
    const app = await start(platform, {
      options: { rateLimit: { limits: '1/minute' } },
      controllers: [MessageController],
      configure: async app => {
        app.connectMicroservice<MicroserviceOptions>(tcp(), { inheritAppConfig: true });
        await app.startAllMicroservices();
      },
    });
    expect((await app.send('/')).status).toBe(200);
    expect((await app.send('/')).status).toBe(429);
  });
});

describe('an app that is a microservice alone', () => {
  const APPS: readonly (readonly [title: string, imports: DynamicModule[]])[] = [
    ['with the module', [AgentSecurityModule.forRoot({ rateLimit: { limits: '1/minute' } })]],
    ['without the module', []],
  ];

  describe.each(APPS)('%s', (_title, imports) => {
    it.each(MESSAGES)('%s', async (_row, pattern, expected) => {
      @Module({ imports, controllers: [MessageController] })
      class AppModule {}
      const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
        ...tcp(),
        logger: new CapturingLogger(),
        abortOnError: false,
      });
      try {
        await app.listen();
        expect(await call(portOf(app), pattern)).toEqual([expected, expected]);
      } finally {
        await app.close();
      }
    });
  });
});

/** The least that a driver is: it hands operations to graphql-js. None of the packaged drivers is needed for what is tested here. */
function driverWith(
  contextOf: (request: object, response: object) => object,
): new () => AbstractGraphQLDriver {
  return class PlainDriver extends AbstractGraphQLDriver {
    async start({ schema }: GqlModuleOptions): Promise<void> {
      const { httpAdapter } = this.httpAdapterHost;
      httpAdapter.post('/graphql', (request: { body: { query: string } }, response: object) => {
        const contextValue = contextOf(request, response);
        void graphql({ schema: schema!, source: request.body.query, contextValue }).then(result =>
          httpAdapter.reply(response, result, 200),
        );
      });
    }

    async stop(): Promise<void> {}
  };
}

@ObjectType()
class Tool {
  @Field(() => Int)
  id!: number;
}

@Resolver(() => Tool)
class ToolResolver {
  @Query(() => Tool)
  tool(@Args('id', { type: () => Int }) id: number): Tool {
    return { id };
  }

  @ResolveField(() => String)
  title(): string {
    return 'title';
  }

  @RateLimit('1/minute')
  @Query(() => String)
  limited(): string {
    return 'limited';
  }

  @SkipRateLimit()
  @Query(() => String)
  skipped(): string {
    return 'skipped';
  }

  @Query(() => String)
  broken(): never {
    throw new Error('shown');
  }
}

const CONTEXTS: readonly (readonly [
  title: string,
  contextOf: (request: object, response: object) => object,
])[] = [
  ['{ req, res }', (req, res) => ({ req, res })],
  ['{ request, reply }', (request, reply) => ({ request, reply })],
];

describe.each(PLATFORMS)('GraphQL on %s', (_title, platform) => {
  const startGraphql = (
    contextOf: (request: object, response: object) => object,
    limits: string | false = false,
  ): Promise<RunningApp> =>
    start(platform, {
      options: { rateLimit: { limits } },
      imports: [
        GraphQLModule.forRoot({
          driver: driverWith(contextOf),
          autoSchemaFile: true,
          fieldResolverEnhancers: ['guards', 'filters'],
        }),
      ],
      providers: [ToolResolver],
    });
  const execute = async (app: RunningApp, query: string) => {
    const answer = await app.send('/graphql', {
      body: JSON.stringify({ query }),
      headers: { 'Content-Type': 'application/json' },
    });
    const { data, errors } = answer.json() as { data: unknown; errors?: { message: string }[] };
    return { answer, data, errors: errors?.map(({ message }) => message) };
  };

  describe.each(CONTEXTS)('with the context %s', (_context, contextOf) => {
    it('@RateLimit() on a resolver rejects the second call', async () => {
      const app = await startGraphql(contextOf);
      const first = await execute(app, '{ limited }');
      expect(first.data).toEqual({ limited: 'limited' });
      expect(first.answer.header('X-RateLimit-Remaining')).toBe('0');
      const second = await execute(app, '{ limited }');
      expect(second).toMatchObject({ data: null, errors: ['Limit: 1 request per 1 minute'] });
      expect(second.answer.header('Retry-After')).toBe('60');
      app.clock.advance(60_000);
      expect((await execute(app, '{ limited }')).errors).toBeUndefined();
    });

    it('takes the module quota once for an operation of many resolvers', async () => {
      const app = await startGraphql(contextOf, '2/minute');
      const query = '{ a: tool(id: 1) { id title } b: tool(id: 2) { title } }';
      const first = await execute(app, query);
      expect(first).toMatchObject({ data: { a: { id: 1, title: 'title' }, b: { title: 'title' } } });
      expect(first.answer.header('X-RateLimit-Remaining')).toBe('1');
      expect((await execute(app, query)).errors).toBeUndefined();
      expect((await execute(app, query)).errors).toContain('Limit: 2 requests per 1 minute');
      expect((await execute(app, '{ skipped }')).data).toEqual({ skipped: 'skipped' });
    });

    it('leaves a resolver error to GraphQL', async () => {
      const app = await startGraphql(contextOf);
      expect(await execute(app, '{ broken }')).toMatchObject({ data: null, errors: ['shown'] });
    });
  });

  it('rejects an operation without a request, and says once a minute what to do', async () => {
    const app = await startGraphql(() => ({}), '1/minute');
    for (let call = 0; call < 3; call++) {
      for (const query of ['{ limited }', '{ tool(id: 1) { title } }'])
        expect(await execute(app, query)).toMatchObject({
          data: null,
          errors: [expect.stringContaining('could not be answered')],
        });
    }
    expect((await execute(app, '{ skipped }')).data).toEqual({ skipped: 'skipped' });
    expect(app.logger.find('context function of GraphQLModule', 'error')).toHaveLength(1);
  });
});
