/* A flood of requests without identity against the audit: counted, never recorded one by one, and no room taken from served calls. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { AuditRecord } from '../../src/index.js';
import { scratchFile } from '../audit/support.js';
import { SECRET, TestKeys } from '../support/keys.js';
import { JSON_HEADERS, modern, SDK_SERVER } from '../support/mcp.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const FLOOD = 30_000;
const CONNECTIONS = 20;

/** Requests that name a tool and are rejected: for their host, origin, method, URL, protocol version and missing credential. */
const ATTACKS: readonly ((port: number, tool: string) => string)[] = [
  (_port, tool) => head('POST /mcp', 'evil.example', tool),
  (port, tool) => head('POST /mcp', `127.0.0.1:${port}`, tool, 'Origin: https://evil.example'),
  (port, tool) => head('PUT /mcp', `127.0.0.1:${port}`, tool),
  (port, tool) => head('POST /mcp?access_token=x', `127.0.0.1:${port}`, tool),
  (port, tool) => head('POST /mcp', `127.0.0.1:${port}`, tool).replace('2026-07-28', '2999-01-01'),
  (port, tool) => head('POST /mcp', `127.0.0.1:${port}`, tool),
];

function head(line: string, host: string, tool: string, ...more: string[]): string {
  const version = 'MCP-Protocol-Version: 2026-07-28';
  const call = ['Mcp-Method: tools/call', `Mcp-Name: ${tool}`, 'Content-Length: 0'];
  return `${[`${line} HTTP/1.1`, `Host: ${host}`, version, ...call, ...more].join('\r\n')}\r\n\r\n`;
}

/** Sends so many requests on one connection, and waits for as many answers. @returns how many came */
function flood(port: number, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let [answers, rest] = [0, ''];
    const socket = connect(port, '127.0.0.1');
    socket.on('data', chunk => {
      const parts = (rest + chunk.toString('latin1')).split('HTTP/1.1 ');
      answers += parts.length - 1;
      rest = parts.at(-1)!.slice(-8);
      if (answers >= count) socket.end();
    });
    socket.on('close', () => resolve(answers));
    socket.on('error', reject);
    const requests = Array.from({ length: count }, (_, index) =>
      ATTACKS[index % ATTACKS.length]!(port, `tool-${index}`),
    );
    socket.write(requests.join(''));
  });
}

describe.each(PLATFORMS)('on %s', (_title, platform) => {
  it('a flood without identity leaves counts per code, and every served call has its record', async () => {
    const file = scratchFile();
    const book = new TestKeys();
    const { key } = book.add('reader');
    const app = await start(platform, {
      ...SDK_SERVER.parts,
      options: {
        rateLimit: { limits: false, flood: false },
        mcp: {},
        auth: { apiKeys: { store: book.store, secret: SECRET } },
        audit: { file },
      },
    });
    const { body, headers } = modern('tools/call', { name: 'read_file', arguments: {} });
    const floods = Array.from({ length: CONNECTIONS }, () => flood(app.port, FLOOD / CONNECTIONS));
    const statuses: number[] = [];
    for (let call = 0; call < 8; call++) {
      const answer = await app.send('/mcp', {
        method: 'POST',
        body,
        headers: { ...JSON_HEADERS, ...headers, 'X-API-Key': key },
      });
      statuses.push(answer.status);
    }
    const answers = (await Promise.all(floods)).reduce((sum, each) => sum + each, 0);
    await app.close();
    expect([answers, statuses]).toEqual([FLOOD, Array(8).fill(200)]);

    const records = readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as AuditRecord);
    const count = (event: AuditRecord['event']): number =>
      records.filter(each => each.event === event).reduce((sum, each) => sum + (each.count ?? 1), 0);
    expect([count('finished'), count('rejected'), count('dropped')]).toEqual([8, 0, 0]);
    expect(count('rejections')).toBe(FLOOD);
    const rejected = records.filter(({ event }) => event === 'rejections');
    expect(new Set(rejected.map(({ code }) => code)).size).toBe(ATTACKS.length);
    // One record per code and minute: none names a tool of the flood.
    expect(rejected.length).toBeLessThanOrEqual(2 * ATTACKS.length);
    expect(rejected.some(({ tool }) => tool !== undefined)).toBe(false);
  }, 60_000);
});
