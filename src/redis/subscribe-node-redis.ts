import { type Duplicable, type Emitter, ignore, type Subscribe } from './subscription.js';

/** A connection of node-redis. */
interface NodeRedisSubscriber extends Emitter {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: () => void): Promise<unknown>;
  unsubscribe(channel: string, listener: () => void): Promise<unknown>;
  destroy(): void;
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
