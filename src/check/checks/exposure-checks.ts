/* Options that are fine on a developer's machine, and not where others reach the app. */
import { isLoopback, isPublic } from '../checked-options.js';
import { faultIf, NO_FAULTS, type Subject, type SubjectCheck, toolsOf } from '../check.js';
import { isTooHigh, MAX_PER_SECOND } from './policy-checks.js';
import { declaresImpact } from '../../tools/tool.options.js';

export const EXPOSURE_CHECKS: readonly SubjectCheck[] = [
  {
    /** @see docs/tools.md */
    id: 'ASEC-C062',
    severity: 'warning',
    deploy: true,
    title: 'A tool has no limit.',
    why: 'an agent in a loop calls it as often as the limits of the module allow',
    remedy: 'Give it a limit: @AgentTool(name, { limit: "100/hour" }), or an entry in tools.policies.',
    find: subject =>
      toolsOf(subject)
        .filter(({ policies }) => policies.length === 0 || isTooHigh(policies, MAX_PER_SECOND))
        .map(({ name, policies }) => [
          `the tool "${name}"`,
          policies.length === 0 ? 'has no limit' : `may have ${policies[0]!.text}`,
        ]),
  },
  {
    /** @see docs/tools.md */
    id: 'ASEC-C063',
    severity: 'warning',
    deploy: true,
    title: 'A tool does not declare its impact.',
    why: 'its audit records say "low", also where a call cannot be undone',
    remedy: 'Declare impact: "low", "medium" or "high".',
    find: subject =>
      toolsOf(subject)
        .filter(tool => !declaresImpact(tool))
        .map(({ name }) => [`the tool "${name}"`, 'declares no impact'] as const),
  },
  {
    /** @see docs/mcp.md#who-can-reach-it */
    id: 'ASEC-C064',
    severity: 'error',
    deploy: true,
    title: 'MCP endpoints are open to every network.',
    why: 'every client on the network can call the tools',
    remedy: 'Set auth, mcp.proxyProof, or mcp.network to "private" or "loopback".',
    find: ({ options: { mcp, auth } }) => {
      if (!mcp || mcp.network !== 'any' || mcp.proxyProof !== undefined) return NO_FAULTS;
      return faultIf(auth === false, 'mcp.network', 'is "any", and auth is off');
    },
  },
  {
    /** @see docs/mcp.md#who-can-reach-it */
    id: 'ASEC-C065',
    severity: 'warning',
    deploy: true,
    title: 'MCP endpoints may be reached from beyond their network.',
    why: 'a proxy that adds no forwarded header makes each of its clients look like a near one',
    remedy: 'Name the proxy in trustProxy, or narrow mcp.hosts to names of the network.',
    find: ({ options }) => {
      const { mcp, trustProxy } = options;
      if (!mcp || mcp.network === 'any' || mcp.hosts !== undefined) return NO_FAULTS;
      return faultIf(
        trustProxy === undefined && isPublic(options),
        'mcp.network',
        `is "${mcp.network}", while hosts lists public names and no proxy is trusted`,
      );
    },
  },
  {
    /** @see docs/audit.md */
    id: 'ASEC-C066',
    severity: 'warning',
    deploy: true,
    title: 'The audit chain has no key.',
    why: 'everyone who can write the file can change a record and compute the chain again',
    remedy: 'Set audit.key or AUDIT_KEY.',
    find: ({ options: { audit } }) =>
      faultIf(
        audit !== false && audit.file !== undefined && audit.key === undefined,
        'audit.key',
        'is not set',
      ),
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-C067',
    severity: 'warning',
    deploy: true,
    title: 'An origin is not encrypted.',
    why: 'anyone on the network path can put a script into its pages, which may read responses',
    remedy: 'List https:// origins.',
    find: ({ options }) =>
      origins(options)
        .filter(({ scheme, host }) => scheme === 'http' && !isLoopback(host))
        .map(({ option, text }) => [option, `lists ${text}`] as const),
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-C068',
    severity: 'warning',
    deploy: true,
    title: 'An origin is a page of the local machine.',
    why: "every program that serves pages on a user's machine may read responses as the user",
    remedy: 'List it in the configuration of development only.',
    find: ({ options }) =>
      origins(options)
        .filter(({ host }) => isLoopback(host))
        .map(({ option, text }) => [option, `lists ${text}`] as const),
  },
  {
    /** @see docs/redis.md */
    id: 'ASEC-C069',
    severity: 'warning',
    deploy: true,
    title: 'Redis is reached without TLS or without a password.',
    why: 'anyone who reaches the server, or the network path to it, can reset limits and read the IDs of agents',
    remedy: 'Write rediss:// with a password.',
    find: ({ options: { rateLimit } }) => {
      const url = rateLimit === false ? undefined : rateLimit.redisUrl;
      if (url === undefined || !URL.canParse(url)) return NO_FAULTS;
      const { protocol, hostname, password } = new URL(url);
      if (isLoopback(hostname) || (protocol === 'rediss:' && password !== '')) return NO_FAULTS;
      return [['REDIS_URL', protocol === 'rediss:' ? 'has no password' : `names ${hostname} without TLS`]];
    },
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-C070',
    severity: 'error',
    deploy: true,
    title: 'The issuer of tokens is a loopback URL.',
    why: 'other services cannot fetch its keys, and tokens of two deployments name the same issuer',
    remedy: 'Write the public https:// URL of the app.',
    find: ({ options: { auth } }) => {
      const issuer = auth === false ? undefined : auth.tokenEndpoint?.issuer;
      return faultIf(
        issuer !== undefined && isLoopback(new URL(issuer).host),
        'auth.tokenEndpoint.issuer',
        `is "${issuer}"`,
      );
    },
  },
  {
    /** @see docs/websockets.md */
    id: 'ASEC-C071',
    severity: 'note',
    deploy: true,
    title: 'WebSockets are accepted without TLS.',
    why: 'credentials and messages can be read on the network path',
    remedy: 'Set webSockets.requireTls, and name a proxy that terminates TLS in trustProxy.',
    find: ({ options: { webSockets }, app: { hasGateways } }) =>
      faultIf(hasGateways && !webSockets.requireTls, 'webSockets.requireTls', 'is off'),
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-C072',
    severity: 'note',
    deploy: true,
    title: 'Proxies are trusted by their number.',
    why: 'a client that passes by one of them chooses its own address',
    remedy: 'Name the addresses of the proxies.',
    find: ({ options: { trustProxy } }) =>
      faultIf(/^the nearest \d+$/.test(trustProxy?.named ?? ''), 'trustProxy', `is ${trustProxy?.named}`),
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-C073',
    severity: 'note',
    deploy: true,
    title: 'No client is authenticated.',
    why: 'routes are open to every client, unless guards of the app protect them',
    remedy: 'Set auth.',
    find: ({ options: { auth } }) => faultIf(auth === false, 'auth', 'is off'),
  },
  {
    /** @see docs/telemetry.md */
    id: 'ASEC-C074',
    severity: 'note',
    deploy: true,
    title: 'Traces show what agents send to tools.',
    why: 'everyone who can read traces reads it',
    remedy: 'Leave telemetry.arguments out.',
    find: ({ options: { telemetry } }) =>
      faultIf(telemetry !== false && telemetry.arguments, 'telemetry.arguments', 'is on'),
  },
];

interface ListedOrigin {
  readonly option: string;
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
}

/** `mcp.origins` can list a name alone, for all its ports. */
const listed = (option: string, texts: readonly string[]): readonly ListedOrigin[] =>
  texts.map(text => {
    const [scheme = '', host] = text.split('://');
    return host === undefined ? { option, text, scheme: '', host: text } : { option, text, scheme, host };
  });

const origins = ({ cors, mcp }: Subject['options']): readonly ListedOrigin[] => [
  ...(cors ? listed('cors.origins', [...cors.exact, ...cors.suffixes.keys()]) : []),
  ...(mcp ? listed('mcp.origins', [...mcp.origins.exact, ...mcp.origins.names]) : []),
];
