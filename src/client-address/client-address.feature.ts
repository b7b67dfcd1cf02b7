import type { Feature } from '../common/feature.js';
import { resolveTrustProxy, type TrustFunction } from './client-address.options.js';

export const TRUST_PROXY: Feature<'trustProxy', TrustFunction | undefined> = {
  key: 'trustProxy',
  resolve: resolveTrustProxy,
};
