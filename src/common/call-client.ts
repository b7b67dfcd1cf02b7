/* Whom a call is counted for: its client's address, or its agent. */
import { rawRequest } from './http-request.js';
import { addressBlock, addressKey, type Key64, SHARED_KEY } from './ip-address.js';
import { hashKey } from './hash-key.js';
import type { Call } from './read-call.js';

/** The address that a request is counted under; `''` where the transport has none. */
export function clientAddress({ request, state }: Pick<Call, 'request' | 'state'>): string {
  return state?.client.address ?? request.ip ?? rawRequest(request).socket?.remoteAddress ?? '';
}

/** The partition key of the client's address. */
export function addressKeyOf(call: Call): Key64 {
  return call.state?.client.key ?? addressKey(clientAddress(call)) ?? SHARED_KEY;
}

/** The partition of `key: 'client'`: the verified agent, else the address. */
export function clientName(call: Call): string {
  const agent = call.state?.agent;
  return agent === undefined ? addressBlock(clientAddress(call)) : `agent:${agent.id}`;
}

/** The partition key of {@link clientName}: the bits of the address, or the hash of the agent's ID. */
export function clientKey(call: Call): Key64 {
  return call.state?.agent === undefined ? addressKeyOf(call) : hashKey(clientName(call));
}
