/* Mistakes in `mcp` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['mcp.path: a pattern', { mcp: { path: '/mcp/*' } }, 'ASEC_PATH_INVALID', 'mcp.path', '/mcp/*'],
    [
      'mcp.path: a part of a segment',
      { mcp: { path: ['/x', '/a:b'] } },
      'ASEC_PATH_INVALID',
      'mcp.path[1]',
      '/a:b',
    ],
    ['mcp.path: none', { mcp: { path: [] } }, 'ASEC_PATH_INVALID', 'mcp.path', 'names no path'],
    [
      'mcp.origins: a path',
      { mcp: { origins: ['https://a.test/x'] } },
      'ASEC_ORIGIN_INVALID',
      'mcp.origins[0]',
      'https://a.test/x',
    ],
    ['mcp.hosts: none', { mcp: { hosts: [] } }, 'ASEC_HOST_NONE', 'mcp.hosts', 'empty list'],
    ['mcp.maxBytes: text', { mcp: { maxBytes: 'much' } }, 'ASEC_OPTION_TYPE', 'mcp.maxBytes', '"much"'],
    ['mcp.versions: a number', { mcp: { versions: ['2'] } }, 'ASEC_OPTION_TYPE', 'mcp.versions[0]', '"2"'],
    [
      'mcp.publicTools: a space',
      { mcp: { publicTools: ['a b'] } },
      'ASEC_TOOL_NAME',
      'mcp.publicTools[0]',
      'a b',
    ],
    ['mcp.network: a typo', { mcp: { network: 'local' } }, 'ASEC_OPTION_TYPE', 'mcp.network', '"local"'],
    [
      'mcp.proxyProof: a short secret',
      { mcp: { proxyProof: { secrets: ['hunter2'] } } },
      'ASEC_PROXY_SECRET',
      'mcp.proxyProof.secrets',
      '32 characters',
    ],
    [
      'mcp.proxyProof: no header',
      { mcp: { proxyProof: { secrets: ['x'.repeat(32)], header: 'a b' } } },
      'ASEC_OPTION_TYPE',
      'mcp.proxyProof.header',
      'a b',
    ],
  ],
  unknownKeys: [['mcp.pat', { mcp: { pat: '/mcp' } }, 'path']],
});
