/* MCP servers of the SDKs, scanned without the module and behind it: of the newest revision, and of the older ones that begin with
 * `initialize`. */
import { SDK_SERVER, SESSION_SERVER } from '../support/mcp.js';
import { EXPRESS } from '../support/platforms.js';
import { scanJson } from '../support/scan.js';
import { type AppParts, start } from '../support/start.js';

async function scan(parts: AppParts) {
  const { port, clock } = await start(EXPRESS, parts);
  const settings = { clock, bounds: { requestMs: 500 } };
  const { notes, findings } = await scanJson(`http://127.0.0.1:${port}/mcp`, settings, '--mcp', '/mcp');
  return { notes, ids: findings.map(({ id }) => id).filter(id => id.startsWith('ASEC-S09')) };
}
const OLDER = 'The MCP endpoint does not speak 2026-07-28: it was asked in an older version.';

test.each([
  ['2026-07-28', SDK_SERVER, false],
  ['2025-11-25', SESSION_SERVER, true],
])(
  'a server of the SDK for %s is open by itself, and not behind the module',
  async (_title, kind, isOlder) => {
    const bare = await scan({ ...kind.parts, security: false });
    expect(bare.notes.includes(OLDER)).toBe(isOlder);
    expect(bare.ids).toEqual(['ASEC-S090', 'ASEC-S091', 'ASEC-S094']);
    const { notes, ids } = await scan({ ...kind.parts, options: { mcp: { path: '/mcp' } } });
    expect(notes.includes(OLDER)).toBe(isOlder);
    // Its tools are public here.
    expect(ids).toEqual(['ASEC-S094']);
  },
);
