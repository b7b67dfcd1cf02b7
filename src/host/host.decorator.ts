import { Reflector } from '@nestjs/core';
import { readStringList } from '../common/read-options.js';
import { type HostPatterns, resolveHostPatterns } from './host.options.js';

const AllowHostsMetadata = Reflector.createDecorator<readonly string[], HostPatterns>({
  key: 'agent-security:allow-hosts',
  transform: hosts => resolveHostPatterns('@AllowHosts()', readStringList('@AllowHosts()', hosts, [])),
});

/**
 * Serves a controller or a handler for these hosts only. A host must be in this list and in the module's `hosts`. A
 * handler's list replaces that of its class.
 * @throws AgentSecurityConfigError when the class is defined, for an invalid host
 * @example
 * @Controller('admin')
 * @AllowHosts('admin.example.com')
 * export class AdminController {}
 */
export const AllowHosts = Object.assign((...hosts: string[]) => AllowHostsMetadata(hosts), {
  KEY: AllowHostsMetadata.KEY,
});
