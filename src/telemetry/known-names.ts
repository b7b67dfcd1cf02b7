/* The values that attributes of metrics may have. A client chooses names of tools, methods and codes, and each new value of an attribute is
 * a new time series: a value that is not known in advance becomes `_OTHER`, as the semantic conventions call it. */

export const OTHER = '_OTHER';

/** Names that the app has declared, up to a number. */
export class KnownNames {
  readonly #names = new Set<string>();

  constructor(private readonly max: number) {}

  add(name: string): void {
    if (this.#names.size < this.max) this.#names.add(name);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}

/** The methods of `mcp.method.name` in the semantic conventions, and those of MCP 2026-07-28. */
const MCP_METHODS: ReadonlySet<string> = new Set([
  'completion/complete',
  'elicitation/create',
  'initialize',
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/elicitation/complete',
  'notifications/initialized',
  'notifications/message',
  'notifications/progress',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/roots/list_changed',
  'notifications/tools/list_changed',
  'ping',
  'prompts/get',
  'prompts/list',
  'resources/list',
  'resources/read',
  'resources/subscribe',
  'resources/templates/list',
  'resources/unsubscribe',
  'roots/list',
  'sampling/createMessage',
  'server/discover',
  'subscriptions/listen',
  'tasks/cancel',
  'tasks/get',
  'tasks/update',
  'tools/call',
  'tools/list',
]);

export const knownMethod = (method: string): string => (MCP_METHODS.has(method) ? method : OTHER);

/** Of JSON-RPC 2.0 (section 5.1), of MCP and of its SDK. An app may answer with codes of its own. */
const RPC_CODES: ReadonlySet<unknown> = new Set([
  -32700, -32603, -32602, -32601, -32600, -32042, -32022, -32020, -32002, -32001, -32000,
]);

export const knownRpcCode = (code: unknown): string => (RPC_CODES.has(code) ? String(code) : OTHER);
