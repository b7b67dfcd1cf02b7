/* What the messages of a request are charged as. A call makes the server work; the other messages connect the client and keep it informed. */
import type { McpMessageKind } from '../common/unguarded-limiter.js';
import { hasLongBody } from '../http/unread-body.js';
import type { McpExchange, McpRejection } from './mcp-exchange.js';
import type { McpBody, McpMessage } from './read-messages.js';

export type MessageCounts = Readonly<Record<McpMessageKind, number>>;

export const ONE_CALL: MessageCounts = { call: 1, protocol: 0 };
/** Also a stream, and the end of a session. */
export const ONE_MESSAGE: MessageCounts = { call: 0, protocol: 1 };

/** Beside notifications and responses. A method that is not listed is a call. */
const PROTOCOL_METHODS: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'logging/setLevel',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/subscribe',
  'resources/unsubscribe',
  'subscriptions/listen',
  'tasks/get',
  'tasks/cancel',
]);

const isProtocolMethod = (method: string): boolean =>
  method.startsWith('notifications/') || PROTOCOL_METHODS.has(method);

/**
 * The message of a POST, before its body is read; `undefined` where the body must be read first. `Mcp-Method` counts, since it must agree
 * with the body. No protocol message is long.
 */
export function countByHead({ raw, headers }: McpExchange): MessageCounts | undefined {
  if (hasLongBody(raw) || raw.headers.expect !== undefined) return ONE_CALL;
  if (headers.method === undefined) return undefined;
  return isProtocolMethod(headers.method) ? ONE_MESSAGE : ONE_CALL;
}

const isProtocol = ({ kind, method }: McpMessage): boolean => kind === 'response' || isProtocolMethod(method);

/** A body that cannot be read counts as a call. */
export function countMessages(body: Pick<McpBody, 'messages'> | McpRejection): MessageCounts {
  if ('problem' in body) return ONE_CALL;
  const protocol = body.messages.filter(isProtocol).length;
  return { call: body.messages.length - protocol, protocol };
}

/** What is still to be charged. A protocol message that was charged as a call is paid for. */
export function subtractCounts(all: MessageCounts, charged: MessageCounts): MessageCounts {
  const paid = charged.protocol + Math.max(0, charged.call - all.call);
  return { call: Math.max(0, all.call - charged.call), protocol: Math.max(0, all.protocol - paid) };
}
