/* Agents, their tools and MCP endpoints, whatever the deployment. */
import { faultIf, type Faults, type SubjectCheck, toolsOf } from '../check.js';

/** No agent and no tool has it, so that only `*` matches. */
const NO_NAME = '\0';

/** What an MCP server is built with. */
const MCP_SERVERS = ['@rekog/mcp-nest', '@modelcontextprotocol/server', '@modelcontextprotocol/node'];

export const AGENT_CHECKS: readonly SubjectCheck[] = [
  {
    /** @see docs/tools.md */
    id: 'ASEC-C030',
    severity: 'error',
    title: 'Tools are declared, and auth is off.',
    why: 'every client can call the tools that need no scope',
    remedy: 'Set auth.',
    find: ({ options: { auth }, app: { tools } }): Faults =>
      faultIf(auth === false && tools.length > 0, 'auth', `is off, and @AgentTool() declares ${name(tools)}`),
  },
  {
    /** @see docs/tools.md */
    id: 'ASEC-C031',
    severity: 'error',
    title: 'Tools are declared, and their policies are off.',
    why: 'neither the scopes nor the limits that the tools declare are enforced',
    remedy: 'Leave tools out.',
    find: ({ options: { tools: policies }, app: { tools } }): Faults =>
      faultIf(
        policies === false && tools.length > 0,
        'tools',
        `is off, and @AgentTool() declares ${name(tools)}`,
      ),
  },
  {
    /** @see docs/tools.md */
    id: 'ASEC-C032',
    severity: 'warning',
    title: 'Every agent may call every tool.',
    why: 'a tool that is added later is open to all agents',
    remedy: 'Name the tools of each agent.',
    find: ({ options: { tools } }) =>
      faultIf(
        tools !== false && tools.allow?.get(NO_NAME)?.has(NO_NAME) === true,
        'tools.allow',
        'has the entry "*": ["*"]',
      ),
  },
  {
    /** @see docs/audit.md */
    id: 'ASEC-C033',
    severity: 'warning',
    title: 'Calls of tools leave no audit record.',
    why: 'nobody can tell afterwards which agent did what',
    remedy: 'Leave audit out for records in the log, or set audit.file.',
    find: ({ options: { audit, mcp }, app: { tools } }) =>
      faultIf(
        audit === false && (tools.length > 0 || Boolean(mcp)),
        'audit',
        'is off, and the app has tools',
      ),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-C034',
    severity: 'error',
    title: 'Every MCP tool is public.',
    why: 'clients without a credential can call all tools, those that are added later too',
    remedy: 'Name the public tools, or patterns such as "read_*".',
    find: ({ options: { mcp } }) =>
      faultIf((mcp || undefined)?.publicTools?.has(NO_NAME) === true, 'mcp.publicTools', 'has "*"'),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-C035',
    severity: 'warning',
    title: 'An MCP server is installed, and mcp is not set.',
    why: 'messages reach the MCP endpoint without the checks of their origin, version and tools',
    remedy: "Set mcp: { path: '/mcp' }, or mcp: false for an app that has no endpoint.",
    find: ({ options: { mcp }, app: { installed } }) => {
      const server = MCP_SERVERS.find(one => installed.has(one));
      return faultIf(
        mcp === undefined && server !== undefined,
        'mcp',
        `is not set, and ${server} is installed`,
      );
    },
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-C036',
    severity: 'note',
    title: 'Credentials in URLs are not rejected.',
    why: 'proxies, logs and browsers keep URLs, and the credentials in them',
    remedy: 'Leave auth.urlParameters out.',
    find: ({ options: { auth } }) =>
      faultIf(auth !== false && auth.urlParameters.size === 0, 'auth.urlParameters', 'is empty'),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-C037',
    severity: 'warning',
    title: 'A public MCP tool has a high impact.',
    why: 'clients without a credential can do what cannot be undone',
    remedy: 'Leave it out of mcp.publicTools, or declare the impact that it has.',
    find: subject => {
      const { publicTools } = subject.options.mcp || {};
      // With "*" there is ASEC-C034.
      if (publicTools === undefined || publicTools.has(NO_NAME)) return [];
      return toolsOf(subject)
        .filter(tool => tool.impact === 'high' && publicTools.has(tool.name))
        .map(tool => ['mcp.publicTools', `has "${tool.name}", whose impact is high`] as const);
    },
  },
];

const name = (tools: readonly { readonly name: string }[]): string =>
  tools.length === 1 ? `"${tools[0]!.name}"` : `${tools.length} tools`;
