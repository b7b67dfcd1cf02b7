import type { Provider } from '@nestjs/common';
import { PrivateNetworkGuard } from './private-network.guard.js';

export const NETWORK_PROVIDERS: readonly Provider[] = [PrivateNetworkGuard];
