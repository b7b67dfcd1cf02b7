import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AuditTrail } from '../../src/audit/audit-trail.js';
import { resolveAudit } from '../../src/audit/audit.options.js';
import { SecurityEvents } from '../../src/events/security-events.js';
import { RequestState } from '../../src/common/request-state.js';
import { CallOutcomes } from '../../src/mcp/response-messages.js';
import { McpTools } from '../../src/mcp/mcp-tools.js';
import type { ToolPolicy } from '../../src/tools/tool-policy.js';
import { agent } from '../support/agents.js';
import { HeldSink } from '../support/audit.js';
import { ManualClock } from '../support/clock.js';
import { pipeline, until, wire } from '../support/leaving.js';

it('records each call of a batch once, where one of them cannot be recorded before it runs', async () => {
  const sink = new HeldSink();
  const ok = sink.write.bind(sink);
  sink.write = () => Promise.reject(new Error('disk full'));
  const log = { log: () => undefined, error: () => undefined };
  const audit = resolveAudit({ sinks: [sink] }, () => undefined);
  const trail = new AuditTrail(audit, [sink], new SecurityEvents(), new ManualClock(), log);
  const policy = {
    consume: async () => ({ allowed: true, headers: [] }),
    toolOf: (tool: string) => ({ impact: tool === 'wipe' ? 'high' : 'medium', redact: [] }),
  } as unknown as ToolPolicy;
  const tools = new McpTools(policy, trail);
  let rejection: unknown;
  const server = createServer((request, response) => {
    const state = new RequestState({} as never, response.writeHead);
    state.agent = agent('bot');
    const calls = ['move', 'wipe', 'read'].map((tool, id) => ({ tool, id, params: undefined }));
    const outcomes = new CallOutcomes();
    void tools
      .start(calls, { raw: request, response, state, headers: {} as never, access: new Map(), outcomes })
      .then(found => (rejection = found));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const socket = await pipeline((server.address() as AddressInfo).port, wire('POST', '/'));
  await until('the batch was rejected', () => rejection !== undefined);
  sink.write = ok;
  await trail.flush();
  socket.destroy();
  server.close();
  expect(rejection).toMatchObject({ problem: { code: 'audit_unavailable' }, isRecorded: true });
  const rejected = sink.records.filter(({ event }) => event === 'rejected').map(({ tool }) => tool);
  expect(rejected).toEqual(['move', 'wipe', 'read']);
});
