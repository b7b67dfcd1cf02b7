import { type Feature, type GuardEntry, provideOptions } from '../common/feature.js';
import { ServerConnections } from './server-connections.js';
import { TimeoutGuard } from './timeout.guard.js';
import {
  RESOLVED_TIMEOUT,
  type ResolvedRouteTimeout,
  type ResolvedTimeout,
  resolveTimeout,
} from './timeout.options.js';

export interface TimeoutFeatureOptions {
  readonly timeout: ResolvedTimeout | false;
}

export const TIMEOUT: Feature<'timeout', ResolvedTimeout | false> = {
  key: 'timeout',
  resolve: resolveTimeout,
  providers: [
    provideOptions(
      RESOLVED_TIMEOUT,
      ({ timeout }: TimeoutFeatureOptions): Partial<ResolvedRouteTimeout> => timeout || {},
    ),
    TimeoutGuard,
    ServerConnections,
  ],
  exports: [TimeoutGuard, RESOLVED_TIMEOUT],
};

export const TIMEOUT_GUARD: GuardEntry<TimeoutFeatureOptions> = {
  token: TimeoutGuard,
  isOn: ({ timeout }) => timeout !== false && Boolean(timeout.handler || timeout.idle),
};
