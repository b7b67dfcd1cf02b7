/* What `AgentSecurityModule.check()` needs of an app: its resolved options, the summaries of its features, and Nest's container. */
import type { INestApplicationContext } from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { checkApp } from './check/check-app.js';
import type { CheckAppOptions } from './check/check-app.options.js';
import type { CheckReport } from './check/finding.js';
import { type FeatureSummary, RESOLVED_OPTIONS, SUMMARIES } from './common/feature.js';
import type { ReadEnvironment } from './common/read-options.js';
import { ENVIRONMENT } from './environment.js';
import { FEATURES } from './features.js';
import { OPTIONS } from './providers.js';
import type { ResolvedOptions } from './resolve-options.js';

export function inspectApp(app: Pick<INestApplicationContext, 'get'>, options: CheckAppOptions): CheckReport {
  const get = <T>(token: Parameters<typeof app.get>[0]): T => app.get<T>(token, { strict: false });
  return checkApp(
    {
      options: get<ResolvedOptions>(RESOLVED_OPTIONS),
      input: get<unknown>(OPTIONS),
      env: get<ReadEnvironment>(ENVIRONMENT),
      features: FEATURES,
      summaries: get<() => readonly FeatureSummary[]>(SUMMARIES)(),
      modules: get<ModulesContainer>(ModulesContainer),
      adapter: get<HttpAdapterHost>(HttpAdapterHost).httpAdapter,
    },
    options,
  );
}
