import { Reflector } from '@nestjs/core';
import { readStringList } from '../common/read-options.js';
import { type HostPatterns, resolveHostPatterns } from './host.options.js';

const AllowHostsMetadata = Reflector.createDecorator<readonly string[], HostPatterns>({
  key: 'agent-security:allow-hosts',
  transform: hosts => resolveHostPatterns('@AllowHosts()', readStringList('@AllowHosts()', hosts, [])),
});

/**
 * Serves a controller or a handler for these hosts only. It narrows the module's list and never widens it: a host must be
 * in both. A handler's list replaces its class's.
 * @throws AgentSecurityConfigError when the class is defined, for a host that is not one
 * @example
 * @AllowHosts('admin.example.com')
 */
export const AllowHosts = Object.assign((...hosts: string[]) => AllowHostsMetadata(hosts), {
  KEY: AllowHostsMetadata.KEY,
});
