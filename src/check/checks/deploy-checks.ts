/* The process and the machine of a deployment. */
import { parseDuration } from '../../common/parse-duration.js';
import { isPublic } from '../checked-options.js';
import { faultIf, NO_FAULTS, type SubjectCheck } from '../check.js';

export const DEPLOY_CHECKS: readonly SubjectCheck[] = [
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C050',
    severity: 'warning',
    deploy: true,
    title: 'Debug output is on.',
    why: 'libraries write details of requests, and credentials among them, to the log',
    remedy: 'Unset it.',
    find: ({ environment: { variables } }) => faultIf(isOn(variables['DEBUG']), 'DEBUG', 'is set'),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C051',
    severity: 'warning',
    deploy: true,
    title: 'NODE_ENV is not production.',
    why: 'libraries such as Express show stacks of errors and skip their caches',
    remedy: 'Set NODE_ENV=production.',
    find: ({ environment: { variables } }) =>
      faultIf(variables['NODE_ENV'] !== 'production', 'NODE_ENV', 'is not "production"'),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C052',
    severity: 'error',
    deploy: true,
    title: 'A debugger can attach.',
    why: 'everyone who reaches its port can execute code in the process',
    remedy: 'Remove --inspect from the command and from NODE_OPTIONS.',
    find: ({ environment: { hasInspector } }) => faultIf(hasInspector, "Node's inspector", 'is on'),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C053',
    severity: 'error',
    deploy: true,
    title: 'Certificates of other servers are not verified.',
    why: 'anyone on the network path can pretend to be a server that the app calls, such as that of token keys',
    remedy: 'Unset it, and name your own authority in NODE_EXTRA_CA_CERTS.',
    find: ({ environment: { variables } }) =>
      faultIf(variables['NODE_TLS_REJECT_UNAUTHORIZED'] === '0', 'NODE_TLS_REJECT_UNAUTHORIZED', 'is 0'),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C054',
    severity: 'warning',
    deploy: true,
    title: 'Source maps are served.',
    why: 'clients can read the source of the app',
    remedy: 'Leave source maps out of the folder that ServeStaticModule serves.',
    find: ({ app: { sourceMaps } }) =>
      sourceMaps.slice(0, 1).map(path => ['ServeStaticModule', `serves ${path}`] as const),
  },
  {
    /** @see docs/guides/configuration.md */
    id: 'ASEC-C055',
    severity: 'error',
    deploy: true,
    title: 'Only hosts of this machine are accepted.',
    why: 'every request to the public name of the app gets 421',
    remedy: 'List the public names in hosts or ALLOWED_HOSTS.',
    find: ({ options }) => faultIf(!isPublic(options), 'hosts', 'lists loopback names only'),
  },
  {
    /** @see docs/guides/proxies.md */
    id: 'ASEC-C056',
    severity: 'warning',
    deploy: true,
    title: 'No proxy is trusted.',
    why: 'all clients of a proxy share one address and its quota, and HTTPS is not seen, so that HSTS is not sent',
    remedy: 'Name the proxy in trustProxy or TRUST_PROXY.',
    find: ({ options, app: { hasTls }, environment: { variables } }) => {
      const platform = PLATFORM_VARIABLES.find(name => variables[name] !== undefined);
      if (options.trustProxy !== undefined || (platform === undefined && (hasTls || !isPublic(options))))
        return NO_FAULTS;
      return [
        [
          'trustProxy',
          platform === undefined
            ? 'is not set, and the app serves a public name without TLS of its own'
            : `is not set, and ${platform} says that the platform has a proxy`,
        ],
      ];
    },
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-C057',
    severity: 'warning',
    deploy: true,
    title: 'Browsers may fall back to HTTP.',
    why: 'the first request of a browser can be read and changed on the network path',
    remedy: 'Leave headers.strictTransportSecurity out, or give it a maxAge of half a year or more.',
    find: ({ options: { headers } }) => {
      const { strictTransportSecurity: hsts } = headers;
      const { maxAge = HALF_A_YEAR } = typeof hsts === 'object' ? hsts : {};
      const isShort = (typeof maxAge === 'string' ? parseDuration(maxAge)! / 1000 : maxAge) < HALF_A_YEAR;
      return faultIf(
        hsts === false || isShort,
        'headers.strictTransportSecurity',
        isShort ? 'has a maxAge below half a year' : 'is off',
      );
    },
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C058',
    severity: 'error',
    deploy: true,
    title: 'A file of keys or audit records can be read by others.',
    why: 'other users of the machine can read it, or change it',
    remedy: 'Run chmod o-rwx on it.',
    find: ({ environment: { files } }) =>
      files
        .filter(({ isOpen }) => isOpen)
        .map(({ option, path }) => [option, `is ${path}, which is open to every user`] as const),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C059',
    severity: 'warning',
    deploy: true,
    title: 'The app runs as root in a container.',
    why: 'an attacker who takes over the process has every right in the container, and a flaw of the kernel gives them the host',
    remedy: 'Add USER node to the Dockerfile, or runAsNonRoot to the pod.',
    find: ({ environment: { isRoot, isContainer } }) =>
      faultIf(isRoot && isContainer, 'the user of the process', 'is root'),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C060',
    severity: 'error',
    deploy: true,
    title: 'A dependency has a serious vulnerability.',
    why: 'the flaw and its fix are public',
    remedy: 'Run npm audit, and update it.',
    find: ({ audit }) =>
      (audit?.vulnerable ?? [])
        .filter(({ severity }) => SERIOUS.has(severity))
        .map(({ name, severity }) => [name, `has a vulnerability rated ${severity}`] as const),
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-C061',
    severity: 'note',
    deploy: true,
    title: 'A dependency has a vulnerability.',
    why: 'the flaw and its fix are public',
    remedy: 'Run npm audit, and update it.',
    find: ({ audit }) =>
      (audit?.vulnerable ?? [])
        .filter(({ severity }) => !SERIOUS.has(severity))
        .map(({ name, severity }) => [name, `has a vulnerability rated ${severity}`] as const),
  },
];

const isOn = (variable: string | undefined): boolean => !/^(?:|0|false|off)$/i.test(variable ?? '');

const SERIOUS: ReadonlySet<string> = new Set(['critical', 'high']);

const HALF_A_YEAR = 15_768_000;

/** What platforms set whose clients come through a proxy. */
const PLATFORM_VARIABLES = [
  'KUBERNETES_SERVICE_HOST',
  'K_SERVICE',
  'FLY_APP_NAME',
  'DYNO',
  'RENDER',
  'RAILWAY_ENVIRONMENT',
  'WEBSITE_SITE_NAME',
  'ECS_CONTAINER_METADATA_URI_V4',
] as const;
