/* The paths of the app's routes, those that libraries mount on the adapter among them. */
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import { whenAdapterIsSet } from '../common/adapter-host.js';

/** The paths of the routes that take a method; `undefined` where one of them is a pattern that may match anything. */
type ReadRoutes = (method: string) => readonly string[] | undefined;

export class AppRoutes {
  #read: ReadRoutes = () => undefined;

  /** Must be constructed before routes are added: Fastify reports each route once, when it is added. */
  constructor(host: HttpAdapterHost) {
    whenAdapterIsSet(host, adapter => {
      this.#read = collectRoutes(adapter);
    });
  }

  /** Call it when the server listens: libraries mount their routes until then. */
  paths(method: string): readonly string[] | undefined {
    return this.#read(method);
  }
}

function collectRoutes(adapter: AbstractHttpAdapter): ReadRoutes {
  const instance = adapter.getInstance<{
    /** Express. */
    readonly router?: { readonly stack?: readonly Layer[] };
    /** Fastify. */
    addHook?(
      name: 'onRoute',
      hook: (route: { method: string | readonly string[]; url: string }) => void,
    ): void;
  }>();
  if (adapter.getType() !== 'fastify') {
    return method =>
      plainPaths((instance.router?.stack ?? []).flatMap(layer => pathsOfLayer(layer, method.toLowerCase())));
  }
  const routes: { methods: readonly string[]; url: string }[] = [];
  instance.addHook?.('onRoute', ({ method, url }) => routes.push({ methods: [method].flat(), url }));
  return method => plainPaths(routes.flatMap(({ methods, url }) => (methods.includes(method) ? url : [])));
}

/** What of a route of Express is read here: a layer of its router's stack. */
interface Layer {
  readonly rawPath?: unknown;
  readonly slash?: boolean;
  readonly route?: { readonly path: unknown; readonly methods: Readonly<Record<string, boolean>> };
}

function pathsOfLayer({ rawPath, slash, route }: Layer, method: string): unknown {
  if (route !== undefined) return route.methods[method] || route.methods['_all'] ? route.path : [];
  // Middleware on every path answers none in particular.
  return slash ? [] : rawPath;
}

const plainPaths = (paths: readonly unknown[]): readonly string[] | undefined =>
  paths.every(path => typeof path === 'string' && !path.includes('*')) ? (paths as string[]) : undefined;

/** Whether a route may answer a path: middleware of Express answers what is below it too. */
export function mayAnswer(route: string, path: string): boolean {
  const segments = route.toLowerCase().split('/').filter(Boolean);
  const wanted = path.toLowerCase().split('/').filter(Boolean);
  if (/[{(?]/.test(route)) return true;
  if (segments.length !== wanted.length && (segments.length === 0 || route.includes(':'))) return false;
  return segments.every(
    (segment, index) => segment === wanted[index] || (segment.includes(':') && index < wanted.length),
  );
}
