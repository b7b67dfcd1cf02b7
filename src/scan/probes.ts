/* The requests of a scan. None of them reaches a handler that changes something: those with other methods than GET name a path that no app
 * has, or are invalid. */
import { isIP } from 'node:net';
import type { ScanRequest } from './client.js';
import type { Target } from './target.js';

export const ATTACKER = 'attacker.example';
export const ATTACKER_ORIGIN = `https://${ATTACKER}`;
/** Long enough that no app answers with it by accident. */
export const URL_SECRET = 'scan-0f6c1d1a6be24c9d';
/** A tag that an error must not repeat. */
export const ECHO = '<scan>';
const NO_PATH = '/agent-security-scan';
const JSON_TYPE = ['Content-Type', 'application/json'] as const;

export type ProbeName =
  keyof ReturnType<typeof listProbes> | 'plain' | keyof ReturnType<typeof listMcpProbes>;

const get = (target: string, ...headers: readonly (readonly [string, string])[]): ScanRequest => ({
  target,
  headers,
});
const post = (body: string, ...headers: readonly (readonly [string, string])[]): ScanRequest => ({
  method: 'POST',
  target: NO_PATH,
  headers,
  body,
});

/** In the order that they are sent. */
export function listProbes({ path, hostname, port, authority, isTls, origin }: Target) {
  const scheme = isTls ? 'https' : 'http';
  const host = (...hosts: readonly string[]): ScanRequest => ({ target: path, hosts });
  const method = (name: string, target = path): ScanRequest => ({ method: name, target });
  const query = (pair: string): string => `${path}${path.includes('?') ? '&' : '?'}${pair}`;
  const forwarded = [
    ['X-Forwarded-Host', ATTACKER],
    ['Forwarded', `host=${ATTACKER}`],
  ] as const;
  const labels = hostname.split('.');
  // example.com of api.example.com; a name of two labels, an address and localhost have none above them.
  const domain = labels.length > 2 && isIP(hostname) === 0 ? labels.slice(1).join('.') : hostname;
  return {
    page: get(path, ['Accept', 'text/html,application/json;q=0.9,*/*;q=0.8']),
    robots: get('/robots.txt'),
    missing: get(NO_PATH),
    echo: get(`${NO_PATH}/${ECHO}`),
    preflight: {
      method: 'OPTIONS',
      target: path,
      headers: [
        ['Origin', ATTACKER_ORIGIN],
        ['Access-Control-Request-Method', 'GET'],
        ['Access-Control-Request-Headers', 'authorization'],
      ],
    },
    foreignOrigin: get(path, ['Origin', ATTACKER_ORIGIN]),
    nullOrigin: get(path, ['Origin', 'null']),
    suffixOrigin: get(path, ['Origin', `${scheme}://${hostname}.${ATTACKER}`]),
    prefixOrigin: get(path, ['Origin', `${scheme}://attacker-${hostname.replaceAll(':', '-')}`]),
    siteOrigin: get(path, ['Origin', `${scheme}://attacker-${domain.replaceAll(':', '-')}`]),
    siblingOrigin: get(path, ['Origin', `${scheme}://agent-security-scan.${domain}`]),
    crossPost: post(
      'a=1',
      ['Origin', ATTACKER_ORIGIN],
      ['Sec-Fetch-Site', 'cross-site'],
      ['Content-Type', 'text/plain'],
    ),
    webSocket: get(
      path,
      ['Origin', ATTACKER_ORIGIN],
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA=='],
    ),
    hostForeign: host(`${ATTACKER}:${port}`),
    hostUserinfo: host(`user@${authority}`),
    hostList: host(`${authority}, ${ATTACKER}`),
    hostPort: host(`${hostname.includes(':') ? `[${hostname}]` : hostname}:99999`),
    hostEmpty: host(''),
    hostTwice: host(authority, ATTACKER),
    targetForeign: { target: `${scheme}://${ATTACKER}${path}` },
    targetDiffers: { target: `${origin}${path}`, hosts: [ATTACKER] },
    forwardedHost: get(NO_PATH, ...forwarded),
    // A query of its own, so that no cache gives the response to others.
    forwardedPage: get(query('agent-security-scan=1'), ...forwarded),
    forwardedProto: get(path, ['X-Forwarded-Proto', 'https']),
    trace: method('TRACE'),
    track: method('TRACK'),
    connect: method('CONNECT', `${ATTACKER}:443`),
    pathDots: get(`/scan/..${path}`),
    pathEncodedDots: get(`/scan/%2e%2e${path}`),
    pathSlashes: get(`/${path}`),
    pathMatrix: get(path.replace(/\?|$/, ';scan=1$&')),
    pathNul: get(path.replace(/\?|$/, '%00$&')),
    pathBackslash: get(`/scan\\..${path}`),
    pathPercent: get('/%'),
    pathUtf8: get('/%c0%ae'),
    bodyMalformed: post('{"a":', JSON_TYPE),
    bodyDeep: post('['.repeat(40_000), JSON_TYPE),
    bodyEncoding: post('{}', JSON_TYPE, ['Content-Encoding', 'scan']),
    bodyAnnounced: post('{', JSON_TYPE, ['Content-Length', '1000000000']),
    bothLengths: post('0\r\n\r\n', ['Content-Length', '3'], ['Transfer-Encoding', 'chunked']),
    twoLengths: post('{}', ['Content-Length', '1'], ['Content-Length', '2']),
    twoCredentials: get(path, ['Authorization', 'Bearer scan-a'], ['Authorization', 'Bearer scan-b']),
    urlSecret: get(query(`access_token=${URL_SECRET}`)),
    resourceMetadata: get('/.well-known/oauth-protected-resource'),
    serverMetadata: get('/.well-known/oauth-authorization-server'),
    securityTxt: get('/.well-known/security.txt'),
  } satisfies Readonly<Record<string, ScanRequest>>;
}

const MCP_HEADERS = [JSON_TYPE, ['Accept', 'application/json, text/event-stream']] as const;

const CLIENT = { name: 'nestjs-agent-security-scan', version: '1' };
const message = (method: string, params: object): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

/** Messages of the version 2026-07-28. */
export function listMcpProbes(path: string) {
  const call = (
    version: string,
    method: string,
    ...headers: readonly (readonly [string, string])[]
  ): ScanRequest => ({
    method: 'POST',
    target: path,
    headers: [...MCP_HEADERS, ['MCP-Protocol-Version', version], ['Mcp-Method', method], ...headers],
    body: message('tools/list', {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': version,
        'io.modelcontextprotocol/clientInfo': CLIENT,
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    }),
  });
  return {
    mcp: call('2026-07-28', 'tools/list'),
    mcpOrigin: call('2026-07-28', 'tools/list', ['Origin', ATTACKER_ORIGIN]),
    mcpHost: { ...call('2026-07-28', 'tools/list'), hosts: [ATTACKER] },
    mcpVersion: call('1999-01-01', 'tools/list'),
    mcpMismatch: call('2026-07-28', 'tools/call', ['Mcp-Name', 'scan']),
  } satisfies Readonly<Record<string, ScanRequest>>;
}

/** For a server that knows older versions only, where each connection begins with this message. */
export function listOldMcpProbes(
  path: string,
): Readonly<Record<'mcp' | 'mcpOrigin' | 'mcpHost', ScanRequest>> {
  const mcp = {
    method: 'POST',
    target: path,
    headers: MCP_HEADERS,
    body: message('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: CLIENT }),
  };
  return {
    mcp,
    mcpOrigin: { ...mcp, headers: [...MCP_HEADERS, ['Origin', ATTACKER_ORIGIN]] },
    mcpHost: { ...mcp, hosts: [ATTACKER] },
  };
}
