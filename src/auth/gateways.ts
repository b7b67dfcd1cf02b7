/* WebSocket handshakes and socket.io's polling requests: the paths and sessions of the app's gateways, and the authentication of both.
 * Handshakes carry the same credentials as other requests; browsers, which cannot set headers on a WebSocket, send the subprotocol
 * `bearer.<credential>`. */
import type { IncomingMessage } from 'node:http';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { requestPath } from '../common/http-request.js';
import type { Rejection } from '../common/rejection.js';
import { type RequestState, stateOfRequest } from '../common/request-state.js';
import { GATEWAY_KEY } from '../http/gateway-guards.js';
import { CREDENTIAL_IN_URL_PROBLEM, SESSION_UNKNOWN } from './credential-rejections.js';
import type { Authenticator } from './authenticator.js';
import { namesParameter, WEBSOCKET_CREDENTIAL_PREFIX } from './read-credential.js';
import { PUBLIC_KEY } from './route-accesses.js';

export class HandshakeAuthenticator {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly urlParameters: ReadonlySet<string>,
    private readonly gateways: Gateways,
  ) {}

  /** @returns the rejection, if the connection must not be opened */
  async authenticate(raw: IncomingMessage, state: RequestState): Promise<Rejection | undefined> {
    const url = raw.url ?? '';
    if (namesParameter(url, this.urlParameters)) return { problem: CREDENTIAL_IN_URL_PROBLEM, headers: [] };
    const found = await this.authenticator.authenticate(raw, state, { handshake: true });
    // A credential of another kind is left to the gateway's own authentication.
    if (found.kind === 'agent') hideCredential(raw);
    const isAccepted =
      found.kind === 'agent' || (found.kind === 'anonymous' && this.gateways.isPublic(requestPath(url)));
    if (!isAccepted) return found.reject();
    return this.gateways.isForeignSession(url, state) ? SESSION_UNKNOWN : undefined;
  }
}

/** Removes the credential's subprotocol: a server that accepts the first one offered would send the credential back. */
function hideCredential({ headers }: IncomingMessage): void {
  const others = headers['sec-websocket-protocol']
    ?.split(',')
    .map(part => part.trim())
    .filter(part => !part.startsWith(WEBSOCKET_CREDENTIAL_PREFIX));
  if (others === undefined) return;
  if (others.length > 0) headers['sec-websocket-protocol'] = others.join(', ');
  else delete headers['sec-websocket-protocol'];
}

const GATEWAY_OPTIONS_KEY = 'websockets:gateway_options';

interface GatewayOptions {
  readonly path?: string;
  readonly addTrailingSlash?: boolean;
}

/** The parts of a socket.io server that are read. */
interface SocketIoServer {
  path(): string;
  readonly opts?: GatewayOptions;
  /** engine.io's sessions by ID, each with the request that opened it. */
  readonly engine?: { readonly clients?: Readonly<Record<string, { readonly request?: IncomingMessage }>> };
}

interface SocketIoAdapter {
  createIOServer?: (...args: unknown[]) => unknown;
}

interface Paths {
  /** Exact paths of handshakes that need no credential. */
  readonly public: ReadonlySet<string>;
  /** Prefixes of the paths that socket.io answers over plain HTTP, without any hook or guard. */
  readonly polling: readonly string[];
}

export class Gateways {
  readonly #servers: SocketIoServer[] = [];
  #paths: Paths | undefined;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly config: ApplicationConfig,
    /** `auth.publicPaths` */
    private readonly publicPaths: ReadonlySet<string>,
  ) {
    this.#observeAdapter();
  }

  isPublic(path: string): boolean {
    return this.#read().public.has(path);
  }

  isPolling(target: string): boolean {
    return this.#read().polling.some(prefix => target.startsWith(prefix));
  }

  /**
   * Whether a request names a socket.io session of another agent, or one that does not exist; the response does not say which. A session
   * belongs to an agent and not to one of its keys, so that keys can be rotated.
   */
  isForeignSession(target: string, state: RequestState): boolean {
    if (!this.isPolling(target)) return false;
    // As engine.io reads it: without the fragment, decoded, and the last of several.
    const [, query = ''] = /^[^#?]*\?([^#]*)/.exec(target) ?? [];
    const sid = new URLSearchParams(query).getAll('sid').at(-1);
    if (!sid) return false;
    for (const { engine } of this.#servers) {
      if (!engine?.clients || !Object.hasOwn(engine.clients, sid)) continue;
      const opener = stateOfRequest(engine.clients[sid]!.request);
      return opener === undefined || opener.agent?.id !== state.agent?.id;
    }
    return true;
  }

  /** Collects the servers that the app's adapter creates. The adapter is set in main.ts, or by Nest, after this. */
  #observeAdapter(): void {
    const { config } = this;
    const observe = (adapter: SocketIoAdapter | undefined): void => {
      const create = adapter?.createIOServer;
      if (adapter === undefined || typeof create !== 'function') return;
      adapter.createIOServer = (...args) => {
        const server = create.apply(adapter, args);
        if (typeof (server as SocketIoServer | undefined)?.path === 'function')
          this.#servers.push(server as SocketIoServer);
        return server;
      };
    };
    observe(config.getIoAdapter() as SocketIoAdapter | undefined);
    const set = config.setIoAdapter.bind(config);
    config.setIoAdapter = adapter => {
      observe(adapter as SocketIoAdapter);
      set(adapter);
    };
  }

  /** With the first request, all gateways have their servers. */
  #read(): Paths {
    return (this.#paths ??= this.#find());
  }

  #find(): Paths {
    const adapter = this.config.getIoAdapter() as SocketIoAdapter | undefined;
    const isSocketIo = typeof adapter?.createIOServer === 'function';
    const publicPaths = new Set(this.publicPaths);
    const polling = new Set(this.#servers.map(server => pollingPrefix(server.path(), server.opts)));
    for (const module of this.modules.values()) {
      for (const { metatype } of module.providers.values()) {
        if (typeof metatype !== 'function' || Reflect.getMetadata(GATEWAY_KEY, metatype) !== true) continue;
        const options = Reflect.getMetadata(GATEWAY_OPTIONS_KEY, metatype) as GatewayOptions | undefined;
        const path = options?.path ?? (isSocketIo ? '/socket.io' : '/');
        if (isSocketIo) polling.add(pollingPrefix(path, options));
        if (Reflect.getMetadata(PUBLIC_KEY, metatype) !== true) continue;
        // socket.io adds the trailing slash itself and answers both forms.
        const bare = path.replace(/\/$/, '');
        for (const each of isSocketIo ? [bare, `${bare}/`] : [path]) publicPaths.add(each);
      }
    }
    return { public: publicPaths, polling: [...polling] };
  }
}

/** engine.io answers every target that begins with its path; without the trailing slash, also `/wsx` for `/ws`. */
function pollingPrefix(path: string, { addTrailingSlash = true }: GatewayOptions = {}): string {
  return path.replace(/\/$/, '') + (addTrailingSlash ? '/' : '');
}
