/* Reads the headers of an MCP request, and checks that the body agrees with them (MCP 2026-07-28, Streamable HTTP; SEP-2243). A proxy
 * decides by the headers and the server by the body: if they differ, one of the two is deceived. Earlier revisions have the version
 * header alone. */
import type { IncomingMessage } from 'node:http';
import { isRecord } from '../common/read-options.js';
import { invalidMessage, type McpRejection, toRejection } from './mcp-exchange.js';
import { type McpBody, type McpMessage, nameIn, TOOLS_CALL } from './read-messages.js';

/** Revisions in which each request stands for itself: no sessions, no stream to GET, the headers mandatory. */
const FIRST_STATELESS = '2026-07-28';

export const PROTOCOL_VERSIONS: readonly string[] = [
  '2024-10-07',
  '2024-11-05',
  '2025-03-26',
  '2025-06-18',
  '2025-11-25',
  FIRST_STATELESS,
];

export const isStateless = (version: string | undefined): boolean =>
  version !== undefined && version >= FIRST_STATELESS;

export interface ProtocolHeaders {
  readonly version: string | undefined;
  readonly method: string | undefined;
  /** Decoded; `null` for a name that is not decodable. */
  readonly name: string | null | undefined;
}

export function readProtocolHeaders({ headers }: IncomingMessage): ProtocolHeaders {
  const read = (name: string): string | undefined =>
    headers[name] === undefined ? undefined : String(headers[name]);
  const name = read('mcp-name');
  return {
    version: read('mcp-protocol-version'),
    method: read('mcp-method'),
    name: name === undefined ? undefined : decodeName(name),
  };
}

/** "Unsupported protocol version" (MCP 2026-07-28). */
export const UNSUPPORTED_VERSION = -32022;

/** @param supported the revisions to name in the rejection */
export function checkVersion(
  { version }: ProtocolHeaders,
  versions: ReadonlySet<string>,
  supported: () => readonly string[],
): McpRejection | undefined {
  if (version === undefined || versions.has(version)) return undefined;
  return toRejection(
    {
      status: 400,
      code: 'mcp_version_unsupported',
      detail: 'The MCP-Protocol-Version is not supported.',
    },
    { rpcCode: UNSUPPORTED_VERSION, data: { supported: supported(), requested: version.slice(0, 64) } },
  );
}

/** The tool that the headers alone name, where the revision makes them binding. */
export function toolInHeaders({ version, method, name }: ProtocolHeaders): string | undefined {
  return isStateless(version) && method === TOOLS_CALL && name ? name : undefined;
}

export function checkAgreement(
  headers: ProtocolHeaders,
  { batch, messages }: McpBody,
): McpRejection | undefined {
  const stateless = isStateless(headers.version);
  if (batch) {
    const claims = messages.some(message => isStateless(claimedVersion(message)));
    if (stateless || claims) return invalidMessage(-32600, `Revision ${FIRST_STATELESS} has no batches.`);
    const named = headers.method !== undefined || headers.name !== undefined;
    return named ? mismatch('headers that name one message cannot stand over a batch') : undefined;
  }
  return checkOne(headers, messages[0]!);
}

function checkOne(headers: ProtocolHeaders, message: McpMessage): McpRejection | undefined {
  const { kind, method } = message;
  const claimed = claimedVersion(message);
  const stateless = isStateless(headers.version) || isStateless(claimed);
  if (claimed !== undefined && headers.version !== undefined && claimed !== headers.version)
    return mismatch('the body names another protocol version than MCP-Protocol-Version');
  if (kind === 'response')
    return headers.method === undefined ? undefined : mismatch('a response has no method');
  if (stateless && kind === 'request') {
    if (headers.version === undefined) return mismatch('MCP-Protocol-Version is missing');
    if (headers.method === undefined) return mismatch('Mcp-Method is missing');
    if (method === 'initialize' && claimed === undefined)
      return mismatch(`revision ${headers.version} has no initialize`);
  }
  if (headers.method !== undefined && headers.method !== method)
    return mismatch('Mcp-Method is not the method of the body');
  return checkName(headers.name, message, stateless && kind === 'request');
}

/** What `Mcp-Name` mirrors (SEP-2243, SEP-2663). */
const NAME_FIELDS: ReadonlyMap<string, string> = new Map([
  [TOOLS_CALL, 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

function checkName(
  name: ProtocolHeaders['name'],
  { method, params }: McpMessage,
  mandatory: boolean,
): McpRejection | undefined {
  if (name === null) return mismatch('Mcp-Name cannot be decoded');
  const field = NAME_FIELDS.get(method);
  const named = field === undefined ? undefined : params?.[field];
  if (typeof named !== 'string') {
    return name === undefined ? undefined : mismatch('Mcp-Name names what the body does not');
  }
  if (name === undefined) return mandatory ? mismatch('Mcp-Name is missing') : undefined;
  return name === named ? undefined : mismatch('Mcp-Name is not the name in the body');
}

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

/** The version in the envelope that each request of a stateless revision carries. */
function claimedVersion({ params }: McpMessage): string | undefined {
  const meta = params !== undefined && Object.hasOwn(params, '_meta') ? params['_meta'] : undefined;
  return isRecord(meta) ? nameIn(meta, VERSION_KEY) : undefined;
}

const mismatch = (what: string): McpRejection =>
  toRejection(
    { status: 400, code: 'mcp_header_mismatch', detail: `The headers and the body disagree: ${what}.` },
    { rpcCode: -32020 },
  );

const ENCODED = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A name beyond ASCII travels as `=?base64?…?=`. */
function decodeName(value: string): string | null {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value;
  const encoded = ENCODED.exec(value)?.[1];
  if (encoded === undefined) return null;
  try {
    return UTF8.decode(Buffer.from(encoded, 'base64'));
  } catch {
    return null;
  }
}
