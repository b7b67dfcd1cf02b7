import type { Feature } from '../common/feature.js';
import { type ResolvedWebSockets, resolveWebSockets } from './websockets.options.js';

export const WEB_SOCKETS: Feature<'webSockets', ResolvedWebSockets> = {
  key: 'webSockets',
  resolve: resolveWebSockets,
};
