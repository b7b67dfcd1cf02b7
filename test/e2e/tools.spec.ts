import {
  BadRequestException,
  Body,
  type CanActivate,
  Controller,
  ForbiddenException,
  Get,
  Injectable,
  Param,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common';
import {
  AgentTool,
  type AuditLine,
  type AuditRecord,
  AuditTrail,
  type AuditSink,
  type QuotaStore,
  RateLimit,
  type SecurityEvent,
  SecurityEvents,
  type StoredCharge,
  ToolPolicy,
} from '../../src/index.js';
import { hashKey } from '../../src/common/hash-key.js';
import { EVERY_POLICY, consume } from '../../src/limiter/consume.js';
import { QuotaTable } from '../../src/limiter/table/quota-table.js';
import { agent, headerAgents } from '../support/agents.js';
import { PLATFORMS } from '../support/platforms.js';
import { type AppParts, type RunningApp, start } from '../support/start.js';

const runs: string[] = [];

@Injectable()
class RejectingGuard implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException();
  }
}

@Controller()
class ToolsController {
  @AgentTool('delete_user', {
    limit: '3/hour',
    alertAt: [2, 1],
    scopes: ['users:delete'],
    impact: 'high',
    redact: ['nickname'],
  })
  @Post('users/:id/delete')
  deleteUser(@Param('id') id: string, @Body() _body: object): object {
    runs.push(`delete_user ${id}`);
    return { id };
  }

  @AgentTool('read_users')
  @Get('users')
  readUsers(): object {
    runs.push('read_users');
    return {};
  }

  @AgentTool('export_users', { impact: 'medium', limit: '2/minute' })
  @RateLimit('100/minute')
  @Get('export')
  exportUsers(): object {
    runs.push('export_users');
    return {};
  }

  @AgentTool('read_broken')
  @Get('broken')
  broken(): object {
    runs.push('read_broken');
    throw new BadRequestException('It is broken');
  }

  @AgentTool('read_guarded')
  @UseGuards(RejectingGuard)
  @Get('guarded')
  guarded(): object {
    runs.push('read_guarded');
    return {};
  }

  @AgentTool('read_hanging', { impact: 'high' })
  @Get('hanging')
  hanging(@Res() response: { raw?: { write(text: string): void }; write(text: string): void }): void {
    runs.push('read_hanging');
    const raw = response.raw ?? response;
    raw.write('begun');
  }

  @RateLimit('1/minute')
  @AgentTool('read_limited')
  @Get('limited')
  limited(): object {
    runs.push('read_limited');
    return {};
  }

  @Get('plain')
  plain(): object {
    return {};
  }
}

class MemorySink implements AuditSink {
  readonly name = 'memory';
  readonly records: AuditRecord[] = [];
  fails = false;
  trail: AuditTrail | undefined;

  write(lines: readonly AuditLine[]): void {
    if (this.fails) throw new Error('disk full');
    this.records.push(...lines.map(({ record }) => record));
  }

  /** Settles with the record that `found` takes: the end of an answer is recorded behind the answer. */
  async next(found: (record: AuditRecord) => boolean): Promise<AuditRecord> {
    for (let turn = 0; turn < 1_000; turn++) {
      const record = this.records.find(found);
      if (record) return record;
      await new Promise(resolve => setImmediate(resolve));
      // What is only counted is recorded once a minute, or now.
      await this.trail?.flush();
    }
    throw new Error(`No such record in ${JSON.stringify(this.records)}`);
  }
}

interface ToolsApp extends RunningApp {
  readonly sink: MemorySink;
  readonly events: SecurityEvent[];
}

beforeEach(() => runs.splice(0));

describe.each(PLATFORMS)('tools on %s', (_title, platform) => {
  const startTools = async (options: AppParts['options'] = {}): Promise<ToolsApp> => {
    const sink = new MemorySink();
    const running = await start(platform, {
      controllers: [ToolsController],
      options: { rateLimit: { limits: '1000/minute' }, audit: { sinks: [sink] }, ...options },
      extras: { providers: [headerAgents] },
    });
    sink.trail = running.app.get(AuditTrail);
    const events: SecurityEvent[] = [];
    running.app.get(SecurityEvents).all.subscribe(event => events.push(event));
    return { ...running, sink, events };
  };
  const deletion = (headers: Record<string, string>, body = '{"reason":"spam"}') => ({
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });

  it('calls a tool that the agent may call', async () => {
    const { send } = await startTools();
    expect((await send('/users/7/delete', deletion({ 'x-agent': 'bot users:delete' }))).status).toBe(201);
    expect((await send('/users')).status).toBe(200);
    expect(runs).toEqual(['delete_user 7', 'read_users']);
  });

  type Rejected = [title: string, path: string, agent: string, options: object, status: number, code: string];
  const rejected: Rejected[] = [
    ['a tool with scopes without a verified agent', '/users/7/delete', '', {}, 401, 'credential_missing'],
    ['a missing scope', '/users/7/delete', 'bot users:read', {}, 403, 'insufficient_scope'],
    ['a scope that only begins alike', '/users/7/delete', 'bot users:delete2', {}, 403, 'insufficient_scope'],
    ['a tool that the agent’s own list lacks', '/users', 'bot - export_users', {}, 403, 'tool_not_allowed'],
    [
      'a tool that its list in the options lacks',
      '/users',
      'bot',
      { allow: { bot: ['write_*'] } },
      403,
      'tool_not_allowed',
    ],
    [
      'a tool that only the agent’s own list has',
      '/users',
      'bot - read_*',
      { allow: { 'b*': ['write_*'] } },
      403,
      'tool_not_allowed',
    ],
    [
      'an agent that no entry of the lists names',
      '/users',
      'other-1',
      { allow: { 'bot-*': ['read_*'] } },
      403,
      'tool_not_allowed',
    ],
    ['every agent where the lists are empty', '/users', 'bot', { allow: {} }, 403, 'tool_not_allowed'],
    ['an agent whose entry is empty', '/users', 'bot', { allow: { bot: [] } }, 403, 'tool_not_allowed'],
    [
      'an agent whose own list alone names the tool',
      '/users',
      'other - read_*',
      { allow: { bot: ['read_*'] } },
      403,
      'tool_not_allowed',
    ],
    [
      'a caller without a credential that no entry names',
      '/users',
      '',
      { allow: { 'bot*': ['read_*'] }, requireAgent: false },
      403,
      'tool_not_allowed',
    ],
    ['no verified agent where there are lists', '/users', '', { allow: {} }, 401, 'credential_missing'],
    [
      'no verified agent where one is required',
      '/users',
      '',
      { requireAgent: true },
      401,
      'credential_missing',
    ],
  ];
  it.each(rejected)('rejects %s', async (_case, path, who, tools, status, code) => {
    const { send, sink, events } = await startTools({ tools });
    const headers: Record<string, string> = who === '' ? {} : { 'x-agent': who };
    const answer = await send(path, path === '/users' ? { headers } : deletion(headers));
    expect([answer.status, answer.json().code, answer.header('Content-Type')]).toEqual([
      status,
      code,
      'application/problem+json',
    ]);
    expect(runs).toEqual([]);
    const tool = path === '/users' ? 'read_users' : 'delete_user';
    // Who is not verified is counted; what becomes of a verified agent's call is recorded by itself.
    const recorded =
      who === '' ? { event: 'rejections', count: 1 } : { event: 'rejected', agent: who.split(' ')[0], tool };
    const record = await sink.next(({ event }) => event === recorded.event);
    expect(record).toMatchObject({ ...recorded, status, code, outcome: 'rejected' });
    expect(sink.records).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'tool.rejected')).toMatchObject([{ code }]);
  });

  it.each([
    ['no agent', {}, 'Bearer'],
    ['no scope', { 'x-agent': 'bot' }, 'Bearer error="insufficient_scope", scope="users:delete"'],
  ])('challenges: %s', async (_case, headers, challenge) => {
    const { send } = await startTools();
    const answer = await send('/users/7/delete', deletion(headers));
    expect(answer.header('WWW-Authenticate')).toBe(challenge);
  });

  it('allows what both lists have, by patterns', async () => {
    const { send } = await startTools({ tools: { allow: { 'bot*': ['read_*'] } } });
    const headers = { 'x-agent': 'bot-1 - *users,other' };
    expect([(await send('/users', { headers })).status, (await send('/export', { headers })).status]).toEqual(
      [200, 403],
    );
    expect(runs).toEqual(['read_users']);
  });

  it('allows callers without a credential what the entry "*" names', async () => {
    const { send } = await startTools({ tools: { allow: { '*': ['read_*'] }, requireAgent: false } });
    expect([(await send('/users')).status, (await send('/export')).status]).toEqual([200, 403]);
    expect(runs).toEqual(['read_users']);
  });

  it('limits each agent and each tool by itself', async () => {
    const { send, clock } = await startTools();
    const call = async (who: string): Promise<number> =>
      (await send('/users/1/delete', deletion({ 'x-agent': `${who} users:delete` }))).status;
    const statuses: number[] = [];
    for (let time = 0; time < 4; time++) statuses.push(await call('a'));
    statuses.push(await call('b'));
    expect(statuses).toEqual([201, 201, 201, 429, 201]);
    expect((await send('/export', { headers: { 'x-agent': 'a' } })).status).toBe(200);
    const answer = await send('/users/1/delete', deletion({ 'x-agent': 'a users:delete' }));
    expect([answer.status, answer.header('Retry-After'), answer.header('RateLimit-Policy')]).toEqual([
      429,
      '3600',
      '"delete_user/3-per-hour";q=3;w=3600',
    ]);
    expect(answer.json()).toMatchObject({
      code: 'rate_limited',
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      detail: 'Limit: 3 requests per 1 hour',
      'violated-policies': ['delete_user/3-per-hour'],
      retry_after_seconds: 3600,
    });
    expect(runs.filter(run => run.startsWith('delete_user'))).toHaveLength(4);
    clock.advance(3_600_000);
    expect(await call('a')).toBe(201);
  });

  it('sends the headers of the tool’s quota beside the route’s', async () => {
    const { send } = await startTools();
    const answer = await send('/export', { headers: { 'x-agent': 'a' } });
    expect([
      answer.header('RateLimit'),
      answer.header('RateLimit-Policy'),
      answer.header('X-RateLimit-Limit'),
      answer.header('X-RateLimit-Remaining'),
    ]).toEqual([
      '"100-per-minute";r=99;t=60, "export_users/2-per-minute";r=1;t=60',
      '"100-per-minute";q=100;w=60, "export_users/2-per-minute";q=2;w=60',
      '2',
      '1',
    ]);
  });

  it('rejects no call in shadow mode', async () => {
    const { send } = await startTools({ rateLimit: { limits: '1000/minute', shadow: true } });
    const statuses: number[] = [];
    for (let time = 0; time < 4; time++) statuses.push((await send('/export')).status);
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect((await send('/export')).header('Retry-After')).toBeUndefined();
  });

  it('emits thresholds once a window', async () => {
    const { send, events, clock } = await startTools();
    const call = () => send('/users/1/delete', deletion({ 'x-agent': 'a users:delete' }));
    for (let time = 0; time < 5; time++) await call();
    const emitted = () => events.filter(event => event.type === 'tool.threshold');
    expect(emitted()).toMatchObject([
      { tool: 'delete_user', agent: 'a', threshold: 2, used: 2, limit: 3, windowMs: 3_600_000 },
      { tool: 'delete_user', agent: 'a', threshold: 1, used: 3, limit: 3 },
    ]);
    clock.advance(3_600_000);
    for (let time = 0; time < 2; time++) await call();
    expect(emitted()).toHaveLength(3);
  });

  it('shares quotas and thresholds with other processes that have the same store', async () => {
    const tables = new Map<string, QuotaTable>();
    let calls = 0;
    const store: QuotaStore = {
      consume: async charges => {
        calls++;
        const [{ key, policies, cost }] = charges as [StoredCharge];
        const id = policies.map(({ name }) => name).join();
        if (!tables.has(id)) tables.set(id, new QuotaTable(policies, 1_000));
        return consume([{ table: tables.get(id)!, mask: EVERY_POLICY, key: hashKey(key), cost }], 5_000_000);
      },
    };
    const options = { rateLimit: { limits: false, store } } as const;
    const apps = [await startTools(options), await startTools(options)];
    const statuses: number[] = [];
    for (let time = 0; time < 4; time++) {
      const answer = await apps[time % 2]!.send('/users/1/delete', deletion({ 'x-agent': 'a users:delete' }));
      statuses.push(answer.status);
    }
    expect([statuses, calls]).toEqual([[201, 201, 201, 429], 4]);
    const emitted = apps.flatMap(({ events }) => events).filter(event => event.type === 'tool.threshold');
    expect(emitted.map(event => (event as SecurityEvent<'tool.threshold'>).used)).toEqual([3, 2]);
  });

  it.each([
    ['deny', 503],
    ['allow', 201],
    ['local', 201],
  ] as const)('with a store that fails and onStoreError %s: %d', async (onStoreError, status) => {
    const store: QuotaStore = { consume: () => Promise.reject(new Error('gone')) };
    const { send } = await startTools({ rateLimit: { limits: false, store, onStoreError } });
    const answer = await send('/users/1/delete', deletion({ 'x-agent': 'a users:delete' }));
    expect(answer.status).toBe(status);
    expect(runs).toHaveLength(status === 201 ? 1 : 0);
  });

  it('emits a first use and a run of denials', async () => {
    const { send, events } = await startTools();
    for (let time = 0; time < 2; time++) await send('/users', { headers: { 'x-agent': 'a' } });
    for (let time = 0; time < 6; time++) await send('/users/1/delete', deletion({ 'x-agent': 'a' }));
    expect(events.filter(({ type }) => type === 'tool.first-use')).toMatchObject([
      { tool: 'read_users', agent: 'a', tools: 1, impact: 'low' },
    ]);
    expect(events.filter(({ type }) => type === 'tool.denials')).toMatchObject([
      { tool: 'delete_user', agent: 'a', count: 5, reason: 'scope-missing' },
    ]);
  });

  it('shows a list of tools as the agent may call them', async () => {
    const { app } = await startTools();
    const policy = app.get(ToolPolicy);
    const names = ['delete_user', 'read_users', 'export_users', 'unknown_tool'];
    const seen = (...parts: Parameters<typeof agent>): string[] =>
      names.filter(name => policy.isVisible(agent(...parts), name));
    expect(seen('a')).toEqual(['read_users', 'export_users', 'unknown_tool']);
    expect(seen('a', { scopes: ['users:delete'] })).toEqual(names);
    expect(seen('a', { tools: ['read_*'] })).toEqual(['read_users']);
    expect(names.filter(name => policy.isVisible(undefined, name))).toEqual([
      'read_users',
      'export_users',
      'unknown_tool',
    ]);
  });

  /* ---- audit records ---- */

  const TRACE = '0af7651916cd43dd8448eb211c80319c';

  it('records a call of high impact before it runs and when it has ended', async () => {
    const { send, sink, clock } = await startTools();
    const answer = await send(
      '/users/7/delete?why=test',
      deletion(
        {
          'x-agent': 'bot users:delete',
          'X-Request-ID': 'req-1',
          traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
        },
        '{"password":"hunter2","nickname":"Bob","note":"card 4111 1111 1111 1111"}',
      ),
    );
    expect(answer.status).toBe(201);
    const finished = await sink.next(({ event }) => event === 'finished');
    const facts = {
      time: new Date(clock.epochMs()).toISOString(),
      call: expect.stringMatching(/^[\da-f-]{36}\/1$/),
      tool: 'delete_user',
      impact: 'high',
      agent: 'bot',
      address: '127.0.0.1',
      requestId: 'req-1',
      traceId: TRACE,
    };
    expect(sink.records).toEqual([
      {
        event: 'started',
        ...facts,
        params: {
          path: { id: '7' },
          query: { why: 'test' },
          body: { password: '[redacted]', nickname: '[redacted]', note: 'card [redacted]' },
        },
      },
      { event: 'finished', ...facts, outcome: 'ok', status: 201, code: undefined, durationMs: 0 },
    ]);
    expect(finished.call).toBe(sink.records[0]!.call);
  });

  type Outcome = [title: string, path: string, times: number, expected: object];
  const outcomes: Outcome[] = [
    ['a call that succeeds', '/users', 1, { event: 'finished', outcome: 'ok', status: 200 }],
    [
      'a handler that throws',
      '/broken',
      1,
      { event: 'finished', outcome: 'failed', status: 400, code: 'bad_request' },
    ],
    [
      'a guard of the app that rejects',
      '/guarded',
      1,
      { event: 'rejections', outcome: 'rejected', status: 403, code: 'forbidden', count: 1 },
    ],
    [
      'a limit of the route',
      '/limited',
      2,
      { event: 'rejections', outcome: 'rejected', status: 429, code: 'rate_limited', count: 1 },
    ],
  ];
  it.each(outcomes)('records %s, in one line', async (_case, path, times, expected) => {
    const { send, sink } = await startTools();
    for (let time = 0; time < times; time++) await send(path);
    const { event } = expected as AuditRecord;
    await sink.next(record => record.event === event);
    expect(sink.records).toHaveLength(times);
    expect(sink.records.at(-1)).toMatchObject(expected);
    expect(runs.includes('read_guarded')).toBe(false);
  });

  it('records a client that goes away', async () => {
    const { send, sink } = await startTools();
    await send('/hanging', { headersOnly: true });
    expect(await sink.next(({ event }) => event === 'finished')).toMatchObject({
      tool: 'read_hanging',
      outcome: 'aborted',
      status: 200,
    });
  });

  it('records nothing of what is no tool', async () => {
    const { send, sink } = await startTools();
    await send('/plain');
    await send('/nowhere');
    await send('/users');
    await sink.next(({ tool }) => tool === 'read_users');
    expect(sink.records).toHaveLength(1);
  });

  it('rejects a call of high impact that cannot be recorded, and logs it once', async () => {
    const { send, sink, events, logger } = await startTools();
    sink.fails = true;
    for (let time = 0; time < 2; time++) {
      const answer = await send('/users/7/delete', deletion({ 'x-agent': 'bot users:delete' }));
      expect([answer.status, answer.json().code, answer.header('Retry-After')]).toEqual([
        503,
        'audit_unavailable',
        '1',
      ]);
    }
    expect((await send('/users')).status).toBe(200);
    expect(runs).toEqual(['read_users']);
    expect(events.filter(({ type }) => type === 'audit.failing')).toMatchObject([
      { sink: 'memory', state: 'failing', reason: 'disk full' },
    ]);
    expect(logger.find('audit sink "memory" fails (disk full)', 'error')).toHaveLength(1);
    // To close the app would wait for it.
    sink.fails = false;
  });

  it('writes to Nest’s log by default, in one line whatever the client sends', async () => {
    const { send, logger } = await startTools({ audit: {} });
    await send(`/users?a=${encodeURIComponent('x\r\n{"event":"forged"}\u2028\u001b[31m')}`, {
      headers: { traceparent: 'none' },
    });
    for (let turn = 0; turn < 100 && logger.find('"tool"').length === 0; turn++) {
      await new Promise(resolve => setImmediate(resolve));
    }
    const [entry] = logger.find('"tool"', 'log');
    expect(entry!.context).toBe('AgentAudit');
    expect(entry!.message).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(entry!.message)).toMatchObject({
      tool: 'read_users',
      params: { query: { a: 'x\r\n{"event":"forged"}\u2028\u001b[31m' } },
    });
  });

  it('records nothing where the audit is off', async () => {
    const { send, logger } = await startTools({ audit: false });
    expect((await send('/users/7/delete', deletion({ 'x-agent': 'bot users:delete' }))).status).toBe(201);
    expect(logger.find('"tool"')).toEqual([]);
  });

  it('checks nothing where tools are off', async () => {
    const { send } = await startTools({ tools: false });
    expect((await send('/users/7/delete', deletion({}))).status).toBe(201);
  });
});
