/* Listens to a channel, beside a client that sends commands. Messages only make a process faster: it also polls. */

/** What both client libraries have in common for this. */
interface Emitter {
  on(event: string, listener: (...values: string[]) => void): unknown;
  off(event: string, listener: (...values: string[]) => void): unknown;
}

/** A connection of ioredis. */
interface IoredisSubscriber extends Emitter {
  readonly status: string;
  connect(): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

/** A connection of node-redis. */
interface NodeRedisSubscriber extends Emitter {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: () => void): Promise<unknown>;
  unsubscribe(channel: string, listener: () => void): Promise<unknown>;
  destroy(): void;
}

interface Duplicable {
  duplicate(): unknown;
}

const ignore = (): void => undefined;

/**
 * Calls `onChange` for each message, and whenever the subscription begins anew, since messages may have been missed. Never throws; the
 * error events of a connection of its own are ignored.
 * @param isCluster the client of a Cluster has a connection for subscriptions; any other needs one of its own
 * @returns ends the subscription
 */
export type Subscribe = (channel: string, onChange: () => void) => () => void;

export function subscribeIoredis(client: object, isCluster: boolean): Subscribe | undefined {
  if (!isCluster && !('duplicate' in client)) return undefined;
  return (channel, onChange) => {
    const connection = (isCluster ? client : (client as Duplicable).duplicate()) as IoredisSubscriber;
    const begin = (): void => void connection.subscribe(channel).then(onChange, ignore);
    const receive = (from?: string): void => {
      if (from === channel) onChange();
    };
    connection.on('message', receive);
    connection.on('ready', begin);
    if (connection.status === 'ready') begin();
    if (isCluster) {
      return () => {
        connection.off('message', receive);
        connection.off('ready', begin);
        connection.unsubscribe(channel).catch(ignore);
      };
    }
    connection.on('error', ignore);
    if (connection.status === 'wait') connection.connect().catch(ignore);
    return () => connection.disconnect();
  };
}

export function subscribeNodeRedis(client: object, isCluster: boolean): Subscribe | undefined {
  if (!isCluster && !('duplicate' in client)) return undefined;
  return (channel, onChange) => {
    const connection = (isCluster ? client : (client as Duplicable).duplicate()) as NodeRedisSubscriber;
    // One function, so that the client keeps one listener however often it is subscribed.
    const receive = (): void => onChange();
    const begin = (): void => void connection.subscribe(channel, receive).then(onChange, ignore);
    if (isCluster) {
      connection.on('connect', begin);
      if (connection.isOpen) begin();
      return () => {
        connection.off('connect', begin);
        connection.unsubscribe(channel, receive).catch(ignore);
      };
    }
    connection.on('error', ignore);
    connection.on('ready', begin);
    connection.connect().catch(ignore);
    return () => {
      if (connection.isOpen) connection.destroy();
    };
  };
}
