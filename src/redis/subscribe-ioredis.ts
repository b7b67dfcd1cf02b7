import { type Duplicable, type Emitter, ignore, type Subscribe } from './subscription.js';

/** A connection of ioredis. */
interface IoredisSubscriber extends Emitter {
  readonly status: string;
  connect(): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  disconnect(): void;
}

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
