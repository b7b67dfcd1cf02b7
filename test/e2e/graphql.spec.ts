/* GraphQL by Apollo's driver on Express: over HTTP, in batches, and over graphql-ws. */
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { GraphQLModule, Int, Query, Resolver, Subscription } from '@nestjs/graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type Agent, type AgentSecurityOptions, CurrentAgent, RateLimit, Scopes } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { EXPRESS } from '../support/platforms.js';
import { type RunningApp, start } from '../support/start.js';

let runs = 0;
beforeEach(() => void (runs = 0));

@Resolver()
class CountingResolver {
  @Query(() => Int)
  plain(): number {
    return ++runs;
  }

  @RateLimit('3/minute')
  @Query(() => Int)
  limited(): number {
    return ++runs;
  }

  @Query(() => String, { nullable: true })
  me(@CurrentAgent() agent: Agent | undefined): string | undefined {
    return agent?.id;
  }

  @Subscription(() => Int, { resolve: (value: number) => value })
  async *ticks(): AsyncGenerator<number> {
    for (let tick = 1; tick <= 5; tick++) yield tick;
  }
}

@Resolver()
class ScopedResolver {
  @Scopes('runs:write')
  @Query(() => Int)
  scoped(): number {
    return ++runs;
  }
}

interface Extensions {
  readonly code: string;
  readonly problem: Record<string, unknown>;
}
interface Result {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions: Extensions }[];
}
const codesOf = (results: readonly Result[]): string[] =>
  results.map(({ errors }) => errors?.[0]?.extensions.code ?? 'OK');
const times = (count: number, code: string): string[] => Array<string>(count).fill(code);

async function launch(
  options: AgentSecurityOptions,
  driver: Partial<ApolloDriverConfig> = {},
): Promise<RunningApp> {
  return start(EXPRESS, {
    options,
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        graphiql: false,
        allowBatchedHttpRequests: true,
        subscriptions: { 'graphql-ws': true },
        ...driver,
      }),
    ],
    providers: [CountingResolver, ...(options.auth ? [ScopedResolver] : [])],
  });
}

async function post(app: RunningApp, body: unknown, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await app.send('/graphql', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers },
  });
  return answer.json();
}

/** One operation after the other over one socket. */
async function overSocket(
  app: RunningApp,
  queries: readonly string[],
  headers: Record<string, string> = {},
): Promise<Result[]> {
  const client = createClient({
    url: `ws://127.0.0.1:${app.port}/graphql`,
    webSocketImpl: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers });
      }
    },
    retryAttempts: 0,
  });
  const results: Result[] = [];
  try {
    for (const query of queries) {
      for await (const result of client.iterate({ query })) results.push(result as unknown as Result);
    }
  } finally {
    await client.dispose();
  }
  return results;
}

const repeat = (count: number, query: string): string[] => Array<string>(count).fill(query);

describe('GraphQL by Apollo on Express', () => {
  const rateLimit = { limits: '5/minute' };

  it("holds an operation over graphql-ws to its resolver's limit", async () => {
    const app = await launch({ rateLimit });
    const results = await overSocket(app, repeat(20, '{ limited }'));
    expect(codesOf(results)).toEqual([...times(3, 'OK'), ...times(17, 'RATE_LIMITED')]);
    expect(runs).toBe(3);
    expect(results[3]!.errors![0]!.extensions.problem).toMatchObject({
      code: 'rate_limited',
      status: 429,
      retry_after_seconds: 60,
      'violated-policies': ['3-per-minute'],
    });
  });

  it('holds the operations of a socket to the limits of the module, over sockets', async () => {
    const app = await launch({ rateLimit });
    expect(codesOf(await overSocket(app, repeat(4, '{ plain }')))).toEqual(times(4, 'OK'));
    expect(codesOf(await overSocket(app, repeat(2, '{ plain }')))).toEqual(['OK', 'RATE_LIMITED']);
    expect(codesOf([(await post(app, { query: '{ plain }' })) as Result])).toEqual(['RATE_LIMITED']);
  });

  it('counts each operation of a batch, also where all are the same', async () => {
    const app = await launch({ rateLimit });
    const batch = repeat(20, '{ plain }').map(query => ({ query }));
    expect(codesOf((await post(app, batch)) as Result[])).toEqual([
      ...times(5, 'OK'),
      ...times(15, 'RATE_LIMITED'),
    ]);
    expect(runs).toBe(5);
  });

  it('counts an operation of several fields once', async () => {
    const app = await launch({ rateLimit });
    for (let turn = 0; turn < 5; turn++)
      expect(codesOf([(await post(app, { query: '{ a: plain b: plain c: plain }' })) as Result])).toEqual([
        'OK',
      ]);
    expect(codesOf([(await post(app, { query: '{ plain }' })) as Result])).toEqual(['RATE_LIMITED']);
  });

  it('counts a subscription once, whatever it sends', async () => {
    const app = await launch({ rateLimit });
    const results = await overSocket(app, repeat(6, 'subscription { ticks }'));
    expect(codesOf(results)).toEqual([...times(25, 'OK'), 'RATE_LIMITED']);
  });

  it('rejects an operation whose context has lost its request', async () => {
    const app = await launch({ rateLimit }, { context: () => ({ req: {} }) });
    expect(codesOf(await overSocket(app, repeat(2, '{ limited }')))).toEqual(
      times(2, 'INTERNAL_SERVER_ERROR'),
    );
    expect(codesOf([(await post(app, { query: '{ plain }' })) as Result])).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(runs).toBe(0);
    expect(app.logger.find('context function of GraphQLModule', 'error')).toHaveLength(1);
  });

  describe('with auth', () => {
    const secured = async (): Promise<{ app: RunningApp; key: string }> => {
      const book = new TestKeys();
      const { key } = book.add('bot');
      const app = await launch({
        rateLimit: { limits: '100/minute' },
        auth: { apiKeys: { store: book.store, secret: SECRET } },
      });
      return { app, key };
    };

    it('runs the operations of an authenticated handshake as its agent', async () => {
      const { app, key } = await secured();
      const results = await overSocket(app, ['{ me }', '{ plain }'], { Authorization: `Bearer ${key}` });
      expect(results).toEqual([{ data: { me: 'bot' } }, { data: { plain: 1 } }]);
    });

    it('rejects a handshake without a credential', async () => {
      const { app } = await secured();
      await expect(overSocket(app, ['{ me }'])).rejects.toBeDefined();
    });

    it('says with the codes of GraphQL what is missing', async () => {
      const { app, key } = await secured();
      const Authorization = `Bearer ${key}`;
      const missing = (await post(app, { query: '{ me }' })) as Result;
      expect(codesOf([missing])).toEqual(['UNAUTHENTICATED']);
      expect(missing.errors![0]!.extensions.problem).toMatchObject({ status: 401 });
      expect(codesOf([(await post(app, { query: '{ scoped }' }, { Authorization })) as Result])).toEqual([
        'FORBIDDEN',
      ]);
      expect(codesOf(await overSocket(app, ['{ scoped }'], { Authorization }))).toEqual(['FORBIDDEN']);
    });
  });
});
