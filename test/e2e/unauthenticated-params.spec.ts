/* What is sent without a credential costs no redaction and stands in no record. */
import { Body, Controller, Post } from '@nestjs/common';
import { AgentTool, type AuditLine, type AuditRecord, type AuditSink } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { JSON_HEADERS, SDK_SERVER } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@Controller()
class Routes {
  @Post('notes')
  @AgentTool('write_note', { impact: 'medium', scopes: ['notes'] })
  write(@Body() body: object): object {
    return { keys: Object.keys(body) };
  }
}

class MemorySink implements AuditSink {
  readonly name = 'memory';
  readonly records: AuditRecord[] = [];
  async write(lines: readonly AuditLine[]): Promise<void> {
    this.records.push(...lines.map(({ record }) => record));
  }
}

describe.each(PLATFORMS)('parameters on %s', (_title, platform) => {
  async function startSecured() {
    const book = new TestKeys();
    const { key } = book.add('writer', { scopes: [] });
    const sink = new MemorySink();
    const app = await start(platform, {
      ...SDK_SERVER.parts,
      controllers: [...(SDK_SERVER.parts.controllers ?? []), Routes],
      options: {
        auth: { apiKeys: { secret: SECRET, store: book.store } },
        audit: { sinks: [sink] },
        mcp: { publicTools: ['open'] },
      },
    });
    return { app, key, sink };
  }

  it('are recorded for an authenticated agent that is rejected, and not without a credential', async () => {
    const { app, key, sink } = await startSecured();
    const body = JSON.stringify({ note: 'marker' });
    const headers = { 'Content-Type': 'application/json' };
    expect((await app.send('/notes', { body, headers })).status).toBe(401);
    expect((await app.send('/notes', { body, headers: { ...headers, 'X-API-Key': 'ask_x' } })).status).toBe(
      401,
    );
    const known = await app.send('/notes', { body, headers: { ...headers, 'X-API-Key': key } });
    expect(known.status).toBe(403);
    await app.close();
    const shown = sink.records.filter(({ params }) => params !== undefined);
    expect(shown.map(({ agent, params }) => [agent, JSON.stringify(params)])).toEqual([
      ['writer', '{"body":{"note":"marker"}}'],
    ]);
  });

  it('of MCP calls are not recorded without a credential', async () => {
    const { app, sink } = await startSecured();
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'x', arguments: { a: 'marker' } },
    };
    const answer = await app.send('/mcp', { body: JSON.stringify(call), headers: JSON_HEADERS });
    expect(answer.status).toBe(401);
    await app.close();
    expect(JSON.stringify(sink.records)).not.toContain('marker');
  });
});
