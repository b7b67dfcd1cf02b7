import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, Logger, NotFoundException, type OnApplicationBootstrap } from '@nestjs/common';
import { type AbstractHttpAdapter, ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { whenAdapterIsSet } from '../common/adapter-host.js';
import { RESOLVED_OPTIONS } from '../common/feature.js';
import { ProblemDetailsFilter } from '../errors/problem-details.filter.js';
import { CrossSiteRoutes } from '../cors/cross-site-routes.js';
import { VERBS } from '../verb/check-verb.js';
import { Edge } from './edge.js';
import type { EdgeOptions } from './edge.feature.js';
import { installEdge, installLastHandler, installStreamErrors, markFailures } from './install-in-adapter.js';
import { installJsonParser } from './install-json-parser.js';
import { installOnServer } from './install-on-server.js';
import { installCrossSiteRoutes } from './install-cross-site-routes.js';
import { installVerbs } from './install-verbs.js';

/** Installs the edge: in the adapter when the module is constructed, on the server when the app has started. */
@Injectable()
export class EdgeInstaller implements OnApplicationBootstrap {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: EdgeOptions,
    @Inject(Edge) private readonly edge: Edge,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(ProblemDetailsFilter) private readonly filter: ProblemDetailsFilter,
    @Inject(VERBS) private readonly verbs: ReadonlySet<string>,
    @Inject(CrossSiteRoutes) private readonly crossSiteRoutes: CrossSiteRoutes,
  ) {}

  /** Must run while providers are constructed: later, Express has registered its routes. */
  install(): void {
    // Global filters of ApplicationConfig run after the app's own; an APP_FILTER would run before them.
    if (this.options.errors) this.config.useGlobalFilters(this.filter);
    whenAdapterIsSet(this.host, adapter => this.#installIn(adapter));
  }

  /** The server exists now and does not listen yet. */
  onApplicationBootstrap(): void {
    const server = this.host.httpAdapter?.getHttpServer();
    if (typeof server?.listeners === 'function') installOnServer(server, this.edge, this.verbs);
  }

  #installIn(adapter: AbstractHttpAdapter): void {
    installEdge(adapter, this.edge, this.options.cors !== false, new Logger('AgentSecurity'));
    installVerbs(adapter, this.verbs);
    installCrossSiteRoutes(adapter, this.crossSiteRoutes);
    markFailures(adapter);
    if (this.options.body && adapter.getType() === 'fastify') installJsonParser(adapter);
    if (!this.options.errors || adapter.getType() !== 'express') return;
    installStreamErrors(adapter, (...failed) => this.#answerUnhandled(...failed));
    installLastHandler(adapter, (...failed) => this.#answerUnhandled(...failed));
  }

  #answerUnhandled(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const exception =
      error ?? new NotFoundException('No route matches the method and the path of the request.');
    // oxlint-disable-next-line promise/valid-params -- an exception filter's catch(), not a promise's
    this.filter.catch(exception, new ExecutionContextHost([request, response]));
  }
}
