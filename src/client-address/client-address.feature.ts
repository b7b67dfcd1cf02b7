import type { Feature } from '../common/feature.js';
import { type ResolvedTrustProxy, resolveTrustProxy } from './client-address.options.js';

export const TRUST_PROXY: Feature<'trustProxy', ResolvedTrustProxy | undefined> = {
  key: 'trustProxy',
  resolve: resolveTrustProxy,
};
