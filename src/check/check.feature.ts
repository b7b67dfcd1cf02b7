/* The option `check`. The checks themselves are loaded on demand. */
import type { Feature } from '../common/feature.js';
import { type ResolvedCheck, resolveCheck } from './check.options.js';

export const CHECK: Feature<'check', ResolvedCheck> = { key: 'check', resolve: resolveCheck };
