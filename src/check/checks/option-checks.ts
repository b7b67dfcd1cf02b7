/* Options that weaken what the module protects, whatever the deployment. */
import { faultIf, type SubjectCheck } from '../check.js';

/** Larger bodies belong in an upload that is streamed. */
const LARGE_BODY_BYTES = 100 * 1024 ** 2;

export const OPTION_CHECKS: readonly SubjectCheck[] = [
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-C014',
    severity: 'warning',
    title: 'Origins are not checked.',
    why: 'pages of other sites can change state with the credentials of a browser, unless another layer rejects them',
    remedy: 'List the origins in cors.origins.',
    find: ({ options: { cors } }) => faultIf(cors === false, 'cors', 'is off'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-C015',
    severity: 'warning',
    title: 'There is no Content-Security-Policy.',
    why: 'a browser executes a script that an attacker has put into a response',
    remedy: 'Leave headers.contentSecurityPolicy out, or widen single directives of it.',
    find: ({ options: { headers } }) =>
      faultIf(headers.contentSecurityPolicy === false, 'headers.contentSecurityPolicy', 'is off'),
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-C016',
    severity: 'warning',
    title: 'Browsers guess the type of responses.',
    why: 'a browser can execute data of a user as a script',
    remedy: 'Leave headers.xContentTypeOptions out.',
    find: ({ options: { headers } }) =>
      faultIf(headers.xContentTypeOptions === false, 'headers.xContentTypeOptions', 'is off'),
  },
  {
    /** @see docs/reference/options.md#nostore */
    id: 'ASEC-C017',
    severity: 'note',
    title: 'Responses may be cached.',
    why: 'a shared cache may store a response to one agent and serve it to another',
    remedy: 'Leave noStore on, and open single routes with @NoStore(false).',
    find: ({ options: { noStore } }) => faultIf(!noStore, 'noStore', 'is off'),
  },
  {
    /** @see docs/reference/options.md#errors */
    id: 'ASEC-C018',
    severity: 'note',
    title: 'Errors of handlers are left to Nest.',
    why: 'clients get errors of two formats, some without a code and a request ID',
    remedy: 'Leave errors on; exception filters of the app still come first.',
    find: ({ options: { errors } }) => faultIf(errors === false, 'errors', 'is off'),
  },
  {
    /** @see docs/timeouts.md */
    id: 'ASEC-C019',
    severity: 'note',
    title: 'The module sets no time limits.',
    why: 'slow clients keep connections for as long as the server allows by itself',
    remedy: 'Set timeout: { handler: false } where only handlers have no limit.',
    find: ({ options: { timeout } }) => faultIf(timeout === false, 'timeout', 'is off'),
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C020',
    severity: 'warning',
    title: 'Requests are granted while the store fails.',
    why: 'a client that can overload the store is no longer limited',
    remedy: 'Leave it out, so that each process counts by itself meanwhile, or write "deny".',
    find: ({ options: { rateLimit } }) =>
      faultIf(
        rateLimit !== false && rateLimit.onStoreError === 'allow',
        'rateLimit.onStoreError',
        'is "allow"',
      ),
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C021',
    severity: 'warning',
    title: 'Clients have no limit of their own.',
    why: 'only the flood limit stands between one client and the handlers',
    remedy: 'Set rateLimit.limits, or leave it out for the default.',
    find: ({ options: { rateLimit } }) =>
      faultIf(rateLimit !== false && rateLimit.limits.length === 0, 'rateLimit.limits', 'is off'),
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C022',
    severity: 'note',
    title: 'All clients share one quota.',
    why: 'one client can use up the quota of all others',
    remedy: 'Leave rateLimit.key out, and limit the whole with a second limit.',
    find: ({ options: { rateLimit } }) =>
      faultIf(rateLimit !== false && rateLimit.key === 'global', 'rateLimit.key', 'is "global"'),
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-C023',
    severity: 'note',
    title: 'JSON bodies may repeat a key.',
    why: 'two parsers can read different values from the same body',
    remedy: 'Leave body.duplicateKeys out.',
    find: ({ options: { body } }) =>
      faultIf(body !== false && body.duplicateKeys === 'allow', 'body.duplicateKeys', 'is "allow"'),
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-C024',
    severity: 'warning',
    title: 'Very large bodies are accepted.',
    why: 'a few requests can fill the memory of the process',
    remedy: 'Lower it, and allow more on single routes with @MaxBody().',
    find: ({ options: { body, mcp } }) =>
      Object.entries({ body, mcp }).flatMap(([option, limit]) =>
        faultIf(
          ((limit || undefined)?.maxBytes ?? 0) > LARGE_BODY_BYTES,
          `${option}.maxBytes`,
          'is above 100 MiB',
        ),
      ),
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-C025',
    severity: 'warning',
    title: 'Every subdomain may use the cookies of users.',
    why: 'one subdomain that an attacker takes over can act as every user',
    remedy: 'List the origins one by one, or leave credentials off.',
    find: ({ options: { cors } }) =>
      faultIf(
        cors !== false && cors.credentials && cors.suffixes.size > 0,
        'cors.credentials',
        'is on for origins with a wildcard',
      ),
  },
  {
    /** @see docs/guides/logging.md */
    id: 'ASEC-C026',
    severity: 'note',
    title: 'Rejected requests are not logged.',
    why: 'an attack, and a client that is rejected by mistake, leave no trace in the log',
    remedy: 'Set logging.level to "warn", or subscribe to SecurityEvents.',
    find: ({ options: { logging } }) =>
      faultIf(
        logging.level === 'none' || logging.level === 'error',
        'logging.level',
        `is "${logging.level}"`,
      ),
  },
];
