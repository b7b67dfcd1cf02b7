/* The metrics of a driven load are the load's own counts. */
import { BadRequestException, Body, ConflictException, Controller, Get, Post } from '@nestjs/common';
import type { Answer } from '../support/http.js';
import { JSON_HEADERS, SDK_SERVER } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';
import { AuditTrail, type QuotaStore, RateLimit } from '../../src/index.js';
import { asText, type Series, startSdk } from './sdk.js';

@Controller()
class LoadController {
  @Get()
  read(): object {
    return {};
  }

  @Get('five')
  @RateLimit({ limit: '5/minute', name: 'five' })
  five(): object {
    return {};
  }

  @Get('taken')
  taken(): never {
    throw new ConflictException();
  }

  @Get('broken')
  broken(): never {
    throw new Error('mine');
  }

  @Post('items')
  create(@Body() body: unknown): unknown {
    if (body === null) throw new BadRequestException();
    return body;
  }
}

/** What the load has counted itself. */
const countCodes = (answers: readonly Answer[]): readonly string[] => {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    const { status } = answer;
    const { code, 'violated-policies': violated } =
      status < 400 ? ({} as Record<string, never>) : answer.json();
    const attributes =
      code === undefined
        ? { result: 'ok' }
        : {
            result: status >= 500 ? 'failed' : 'rejected',
            code,
            ...(violated === undefined ? undefined : { policy: violated[0] }),
          };
    const key = JSON.stringify(attributes);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${key} ${count}`).toSorted();
};

const OFF = { limits: false, flood: false } as const;

describe.each(PLATFORMS)('%s', (_title, platform) => {
  it('counts every response once, by its result, its code and the limit', async () => {
    const sdk = startSdk();
    const { send } = await start(platform, {
      options: { telemetry: true, rateLimit: { limits: '12/minute', flood: '40/second' } },
      controllers: [LoadController],
    });
    const json = { 'Content-Type': 'application/json' };
    const answers: Answer[] = [];
    for (let round = 0; round < 6; round++) {
      answers.push(await send('/five'));
      answers.push(await send('/'));
      answers.push(await send('/nowhere'));
      answers.push(await send('/', { headers: { Host: 'evil.example' } }));
      answers.push(await send('/items', { headers: json, body: '{"a":1' }));
      answers.push(await send('/items', { headers: json, body: '{"a":1}' }));
      if (round < 2) answers.push(await send('/taken'), await send('/broken'));
    }
    for (let extra = 0; extra < 8; extra++) answers.push(await send('/'));
    expect(asText(await sdk.seriesOf('agent_security.requests'))).toEqual(countCodes(answers));
    expect(countCodes(answers).join()).toContain('"policy":"flood"');
    expect(countCodes(answers).join()).toContain('"policy":"five"');
    const metrics = await sdk.collect();
    const decided = metrics.get('agent_security.decision.duration')!;
    expect([decided.unit, decided.series.reduce((sum, { value }) => sum + value, 0)]).toEqual([
      's',
      answers.length,
    ]);
  });

  it('warns where no SDK is registered, and serves', async () => {
    const { send, logger } = await start(platform, {
      options: { telemetry: true },
      controllers: [LoadController],
    });
    expect((await send('/')).status).toBe(200);
    expect(logger.find('no MeterProvider', 'warn')).toHaveLength(1);
  });

  it('records what is left of each limit', async () => {
    const sdk = startSdk();
    const { send } = await start(platform, {
      options: { telemetry: true, rateLimit: { limits: '100/minute', flood: '50/second' } },
      controllers: [LoadController],
    });
    for (let request = 0; request < 7; request++) await send('/five');
    await send('/');
    const { unit, series, boundaries } = (await sdk.collect()).get('agent_security.limit.remaining')!;
    expect(unit).toBe('1');
    expect([boundaries![0], boundaries!.at(-1)]).toEqual([0, 1]);
    // The last of the seven is denied before routing.
    expect(asText(series)).toEqual([
      '{"policy":"100-per-minute"} 1',
      '{"policy":"five"} 6',
      '{"policy":"flood"} 8',
    ]);
  });

  it('knows only limits that the app declares, and not those of its functions', async () => {
    @Controller()
    class TenantController {
      @Get()
      @RateLimit({
        limit: key => `${10 + Number(/\d+$/.exec(key)![0])}/minute`,
        key: ({ headers }) => String(headers['x-tenant']),
      })
      read(): object {
        return {};
      }
    }
    const sdk = startSdk();
    const { send } = await start(platform, {
      options: { telemetry: true, rateLimit: { flood: false } },
      controllers: [TenantController],
    });
    for (let tenant = 0; tenant < 5; tenant++) await send('/', { headers: { 'X-Tenant': `t${tenant}` } });
    expect(asText(await sdk.seriesOf('agent_security.limit.remaining'))).toEqual(['{"policy":"_OTHER"} 5']);
  });

  it('measures the shared store, and shows an open circuit', async () => {
    const sdk = startSdk();
    let isDown = false;
    const store: QuotaStore = {
      consume: async charges => {
        if (isDown) throw new Error('gone');
        const policies = charges.flatMap(charge => charge.policies);
        const policyStates = policies.map(policy => ({ policy, remaining: 1, resetMs: 1, violated: false }));
        return { granted: true, policyStates };
      },
    };
    const { send } = await start(platform, {
      options: { telemetry: true, rateLimit: { limits: '100/minute', flood: false, store } },
      controllers: [LoadController],
    });
    const circuit = async () => asText(await sdk.seriesOf('agent_security.store.circuit_open'));
    for (let request = 0; request < 3; request++) await send('/');
    expect(await circuit()).toEqual(['{} 0']);
    isDown = true;
    for (let request = 0; request < 7; request++) await send('/');
    expect(await circuit()).toEqual(['{} 1']);
    // The circuit opens after five failures, and then sends one request a second.
    expect(asText(await sdk.seriesOf('agent_security.store.operation.duration'))).toEqual([
      '{"error.type":"failed"} 6',
      '{} 3',
    ]);
  });

  it('shows how many audit records wait for a sink, and how many were dropped', async () => {
    const sdk = startSdk();
    let release = (): void => undefined;
    const gate = new Promise<void>(resolve => (release = resolve));
    const sink = { name: 'slow', write: () => gate };
    const { app } = await start(platform, {
      options: { telemetry: true, audit: { sinks: [sink], maxQueued: 16 } },
    });
    const audit = app.get(AuditTrail, { strict: false });
    for (let call = 0; call < 20; call++) {
      const begun = await audit.begin({ tool: 'read', impact: 'low' });
      if (begun.recorded) begun.call.finish({ outcome: 'ok' });
    }
    const queued = await sdk.seriesOf('agent_security.audit.queue.length');
    const dropped = await sdk.seriesOf('agent_security.audit.dropped');
    release();
    expect([asText(queued), asText(dropped)]).toEqual([['{"sink":"slow"} 12'], ['{"sink":"slow"} 8']]);
  });

  describe('MCP', () => {
    const call = (name: string, id = 1): object => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name, arguments: {} },
    });
    const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

    it('measures each message by its method, its tool and its error', async () => {
      const sdk = startSdk();
      const { send } = await start(platform, {
        ...SDK_SERVER.parts,
        options: {
          telemetry: true,
          rateLimit: OFF,
          mcp: {},
          tools: { policies: { delete_user: { limit: '2/minute' }, read_file: {}, absent: {} } },
        },
      });
      const post = (body: object) => send('/mcp', { body: JSON.stringify(body), headers: JSON_HEADERS });
      for (let request = 0; request < 3; request++) await post(LIST);
      for (let request = 0; request < 5; request++) await post(call('read_file'));
      for (let request = 0; request < 4; request++) await post(call('delete_user'));
      await post(call('absent'));
      await post({ jsonrpc: '2.0', method: 'notifications/initialized' });
      await post({ jsonrpc: '2.0', id: 1, method: 'no/such' });
      await send('/mcp', { body: '{', headers: JSON_HEADERS });
      const operation = (await sdk.collect()).get('mcp.server.operation.duration')!;
      const tool = (name: string): Series['attributes'] => ({
        'mcp.method.name': 'tools/call',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': name,
      });
      const rpc = (code: string): Series['attributes'] => ({
        'error.type': code,
        'rpc.response.status_code': code,
      });
      expect(operation.unit).toBe('s');
      expect(operation.boundaries).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]);
      const absent = operation.series.find(({ attributes }) => attributes['gen_ai.tool.name'] === 'absent')!;
      // Servers answer a tool that they do not have with an error of the protocol or with one of the tool.
      expect(['tool_error', '-32602']).toContain(absent.attributes['error.type']);
      expect(asText(operation.series.filter(each => each !== absent))).toEqual(
        asText([
          { attributes: { 'mcp.method.name': 'tools/list' }, value: 3 },
          { attributes: tool('read_file'), value: 5 },
          { attributes: tool('delete_user'), value: 2 },
          { attributes: { ...tool('delete_user'), ...rpc('-32000') }, value: 2 },
          { attributes: { 'mcp.method.name': 'notifications/initialized' }, value: 1 },
          { attributes: { 'mcp.method.name': '_OTHER', ...rpc('-32601') }, value: 1 },
          { attributes: { 'mcp.method.name': '_OTHER', ...rpc('-32700') }, value: 1 },
        ]),
      );
    });
  });
});
