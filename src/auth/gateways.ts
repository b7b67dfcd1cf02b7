import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { PUBLIC_KEY } from './route-access.js';

/** Where @nestjs/websockets notes what a gateway is; read without importing it. */
const GATEWAY_KEY = 'websockets:is_gateway';
const GATEWAY_OPTIONS_KEY = 'websockets:gateway_options';
const SOCKET_IO_PATH = '/socket.io';

interface Paths {
  /** Exact paths of handshakes that need no agent. */
  readonly open: ReadonlySet<string>;
  /** What paths begin with that socket.io answers over plain HTTP, past every hook and guard. */
  readonly polling: readonly string[];
}

/** The paths of an app's WebSocket gateways, read when the first request asks: main.ts has chosen its adapter by then. */
export class Gateways {
  #paths: Paths | undefined;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly config: ApplicationConfig,
    /** `auth.publicPaths` */
    private readonly publicPaths: ReadonlySet<string>,
  ) {}

  isPublic(path: string): boolean {
    return this.#read().open.has(path);
  }

  isPolling(target: string): boolean {
    return this.#read().polling.some(prefix => target.startsWith(prefix));
  }

  #read(): Paths {
    return (this.#paths ??= this.#find());
  }

  #find(): Paths {
    const adapter = this.config.getIoAdapter() as { createIOServer?: unknown } | undefined;
    const isSocketIo = typeof adapter?.createIOServer === 'function';
    const open = new Set(this.publicPaths);
    const polling = new Set<string>();
    for (const module of this.modules.values()) {
      for (const { metatype } of module.providers.values()) {
        if (typeof metatype !== 'function' || Reflect.getMetadata(GATEWAY_KEY, metatype) !== true) continue;
        const options = Reflect.getMetadata(GATEWAY_OPTIONS_KEY, metatype) as { path?: string } | undefined;
        const path = options?.path ?? (isSocketIo ? SOCKET_IO_PATH : '/');
        // socket.io adds the slash itself; both forms lead to it.
        const paths = isSocketIo ? [path.replace(/\/$/, ''), `${path.replace(/\/$/, '')}/`] : [path];
        if (isSocketIo) polling.add(paths[1]!);
        if (Reflect.getMetadata(PUBLIC_KEY, metatype) === true) for (const each of paths) open.add(each);
      }
    }
    return { open, polling: [...polling] };
  }
}
