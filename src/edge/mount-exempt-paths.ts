/* Applies the app's global prefix and versions to the exempt paths, and warns of one that no route answers: its probe would get 421. */
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { type ExemptPaths, mountedPaths } from '../common/exempt-paths.js';
import { RESOLVED_OPTIONS, summarizeList } from '../common/feature.js';
import { type Log, logLine } from '../common/log-text.js';
import { AppRoutes, mayAnswer } from '../http/app-routes.js';
import { readMounts } from '../http/route-mount.js';
import type { EdgeOptions } from './edge.feature.js';

@Injectable()
export class ExemptPathsStartup implements OnApplicationBootstrap {
  readonly #exempt: readonly (readonly [option: string, paths: ExemptPaths])[];
  readonly #log: Log = new Logger('AgentSecurity');

  constructor(
    @Inject(RESOLVED_OPTIONS) { hosts, rateLimit }: EdgeOptions,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(AppRoutes) private readonly routes: AppRoutes,
  ) {
    this.#exempt = [
      ...(hosts ? [['hosts.exemptPaths', hosts.exemptPaths] as const] : []),
      ...(rateLimit ? [['rateLimit.exemptPaths', rateLimit.exemptPaths] as const] : []),
    ];
  }

  onApplicationBootstrap(): void {
    const mounts = readMounts(this.config, this.modules);
    for (const [, paths] of this.#exempt) paths.mount(mounts);
    const server = this.host.httpAdapter?.getHttpServer();
    if (typeof server?.once === 'function') server.once('listening', () => this.#checkRoutes(mounts));
  }

  #checkRoutes(mounts: readonly string[]): void {
    const routes = this.routes.paths('GET');
    if (routes === undefined) return;
    for (const [option, { configured }] of this.#exempt) {
      for (const path of configured) {
        const places = mountedPaths(path, mounts);
        // At a prefix alone, Nest mounts the answer of unknown paths.
        const isAnswered = (place: string): boolean =>
          routes.some(route => route === place || (!mounts.includes(route) && mayAnswer(route, place)));
        if (places.some(isAnswered)) continue;
        const shown = summarizeList(places.map(place => `"${place}"`));
        this.#log.warn(
          logLine`${option} "${path}" exempts nothing: no route of the app answers GET at ${shown}. Write the path of a route.`,
        );
      }
    }
  }
}
