/* Listens to a channel, beside a client that sends commands. Messages only make a process faster: it also polls. */

/** What both client libraries have in common for this. */
export interface Emitter {
  on(event: string, listener: (...values: string[]) => void): unknown;
  off(event: string, listener: (...values: string[]) => void): unknown;
}

export interface Duplicable {
  duplicate(): unknown;
}

export const ignore = (): void => undefined;

/**
 * Calls `onChange` for each message, and whenever the subscription begins anew, since messages may have been missed. Never throws; the
 * error events of a connection of its own are ignored.
 * @param isCluster the client of a Cluster has a connection for subscriptions; any other needs one of its own
 * @returns ends the subscription
 */
export type Subscribe = (channel: string, onChange: () => void) => () => void;
