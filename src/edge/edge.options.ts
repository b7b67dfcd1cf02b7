import type { ResolvedBody } from '../body/body.options.js';
import type { TrustFunction } from '../client-address/client-address.options.js';
import type { ResolvedCors } from '../cors/cors.options.js';
import type { ResolvedErrors } from '../errors/errors.options.js';
import type { ResolvedHosts } from '../host/host.options.js';
import type { ResolvedRateLimit } from '../rate-limit/rate-limit.options.js';
import type { ResolvedRequestId } from '../request-id/request-id.options.js';
import type { ResolvedWebSockets } from '../websockets/websockets.options.js';

/** The features' options that the edge enforces itself. */
export interface EdgeOptions {
  readonly requestId: ResolvedRequestId | false;
  readonly trustProxy: TrustFunction | undefined;
  readonly hosts: ResolvedHosts | false;
  readonly cors: ResolvedCors | false;
  readonly rateLimit: ResolvedRateLimit | false;
  readonly body: ResolvedBody | false;
  readonly webSockets: ResolvedWebSockets;
  readonly errors: ResolvedErrors | false;
}
