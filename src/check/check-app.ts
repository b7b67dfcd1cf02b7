/* Checks an app that is loaded: reads the facts, runs the table, and adds what `doctor` shows. */
import type { Feature, FeatureSummary } from '../common/feature.js';
import { isRecord, type ReadEnvironment } from '../common/read-options.js';
import { type AppSource, readAppFacts } from './app-facts.js';
import type { CheckAppOptions } from './check-app.options.js';
import { CHECK_TABLE } from './check-table.js';
import type { CheckedOptions } from './checked-options.js';
import { describeOptions } from './describe-options.js';
import { type AuditFacts, readEnvironmentFacts } from './environment-facts.js';
import type { CheckReport } from './finding.js';
import { FOREIGN_PACKAGES } from './foreign-packages.js';
import { readPackageFacts } from './package-facts.js';
import { runChecks } from './run-checks.js';

/** What the module itself knows of the app. */
export interface CheckSource extends Omit<AppSource, 'installed'> {
  readonly options: CheckedOptions;
  /** Of `forRoot()`. */
  readonly input: unknown;
  readonly env: ReadEnvironment;
  readonly features: readonly Feature<string, unknown>[];
  readonly summaries: readonly FeatureSummary[];
}

export function checkApp(
  source: CheckSource,
  { deploy = false, env: variables = process.env, folder = process.cwd(), vulnerable }: CheckAppOptions,
): CheckReport {
  const { options, adapter, modules, summaries, features, env } = source;
  const input = isRecord(source.input) ? source.input : {};
  const { versions, installed, docsBase } = readPackageFacts(folder, adapter?.getType());
  const audit: AuditFacts | undefined = vulnerable && { vulnerable };
  const environment = readEnvironmentFacts(variables, deploy ? namedFiles(options, input) : []);
  const app = readAppFacts({ modules, adapter, installed });
  const risks = summaries.flatMap(({ warnings = [] }) => warnings);
  return {
    ...runChecks(CHECK_TABLE, { options, app, environment, versions, audit }, { deploy, risks, docsBase }),
    notes: [],
    options: describeOptions(features, input, env),
    summary: summaries.flatMap(({ text }) => text ?? []),
    versions,
    installed: FOREIGN_PACKAGES.filter(name => installed.has(name)),
  };
}

/** The files of keys and records that the options name. */
function namedFiles(
  { auth, audit }: CheckedOptions,
  input: Readonly<Record<string, unknown>>,
): readonly (readonly [option: string, path: string])[] {
  const keys = auth === false ? undefined : auth.apiKeys;
  const path: unknown = isRecord(keys?.store) ? keys.store['path'] : undefined;
  const signing = ['auth', 'tokenEndpoint', 'signingKeys', 'file'].reduce<unknown>(
    (value, key) => (isRecord(value) ? value[key] : undefined),
    input,
  );
  const file = audit === false ? undefined : audit.file;
  return [
    ...(typeof path === 'string' && keys !== undefined ? [[keys.origin, path] as const] : []),
    ...(file === undefined ? [] : [['audit.file', file] as const]),
    ...(typeof signing === 'string' ? [['auth.tokenEndpoint.signingKeys.file', signing] as const] : []),
  ];
}
