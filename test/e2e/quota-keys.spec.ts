/* Counters that belong to different owners stay apart, whatever the owners and what they call are named. */
import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RateLimit } from '../../src/index.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

@Controller()
class KeyController {
  // As in an app behind a gateway that verified the header.
  @RateLimit({ limit: '2/minute', key: request => request.headers['x-tenant'] as string | undefined })
  @Get('tenant')
  tenant(): object {
    return {};
  }
}

@Controller('mcp')
class McpController {
  @Post()
  @HttpCode(200)
  call(): object {
    return { jsonrpc: '2.0', id: 1, result: { content: [] } };
  }
}

const callOf = (name: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } });

describe.each(PLATFORMS)('counters on %s', (_title, platform) => {
  it('keep the quota of one agent for one tool from another agent and another tool', async () => {
    const book = new TestKeys();
    const victim = book.add('urn:acme:agent:bob').key;
    const bob = book.add('bob').key;
    const app = await start(platform, {
      controllers: [McpController],
      options: {
        mcp: {},
        auth: { apiKeys: { store: book.store, secret: SECRET } },
        tools: { policies: { 'read_*': { limit: '2/minute' } } },
      },
    });
    const call = async (key: string, tool: string): Promise<unknown> => {
      const answer = await app.send('/mcp', {
        method: 'POST',
        body: callOf(tool),
        headers: {
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          Authorization: `Bearer ${key}`,
        },
      });
      const { error } = answer.json() as { error?: { data?: { code?: string } } };
      return error?.data?.code ?? answer.status;
    };
    const attack = 'read_file:agent:urn:acme';
    expect([await call(bob, attack), await call(bob, attack), await call(bob, attack)]).toEqual([
      200,
      200,
      'rate_limited',
    ]);
    expect(await call(victim, 'read_file')).toBe(200);
  });

  it('count a partition key of a key function apart from an address', async () => {
    const counted: string[] = [];
    const store = {
      async increment(key: string) {
        counted.push(key);
        const totalHits = counted.filter(each => each === key).length;
        return { totalHits, timeToExpire: 60, isBlocked: totalHits > 2, timeToBlockExpire: 60 };
      },
    };
    const app = await start(platform, { controllers: [KeyController], options: { rateLimit: { store } } });
    const named = { headers: { 'X-Tenant': '127.0.0.1' } };
    for (let turn = 0; turn < 3; turn++) await app.send('/tenant', named);
    expect((await app.send('/tenant', named)).status).toBe(429);
    expect((await app.send('/tenant')).status).toBe(200);
  });
});
