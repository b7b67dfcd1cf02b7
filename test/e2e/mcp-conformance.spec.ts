/* The official suite for MCP servers, against a small server behind the module with the default limits of clients, in real time. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.js';
import { ConformanceSessions } from '../support/conformance-server.js';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const ROOT = join(__dirname, '../..');
const SUITE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const SHIM = join(ROOT, 'test/support/fs-with-glob.mjs');

const runSuite = (url: string): Promise<{ code: number; output: string }> =>
  new Promise(resolve => {
    const args = ['--import', SHIM, SUITE, 'server', '--url', url];
    execFile(process.execPath, args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });

describe.each(PLATFORMS)('with the default limits of clients on %s', (_title, platform) => {
  it('the conformance suite for MCP servers passes', async () => {
    const { port } = await start(platform, {
      providers: [ConformanceSessions],
      // The suite sends about a hundred requests. On a fast machine that takes less than a second, which is the default of `flood`.
      options: { mcp: {}, rateLimit: { flood: '200/second' } },
      clock: systemClock,
    });
    const { code, output } = await runSuite(`http://localhost:${port}/mcp`);
    const failures = output.split('\n').filter(line => /✗|FAILURE|Error|rate_limited/.test(line));
    expect([failures, code]).toEqual([[], 0]);
    expect(output).toMatch(/Total: \d+ passed, 0 failed/);
  }, 120_000);
});
