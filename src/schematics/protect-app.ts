/* Adds the module to the app, and removes or lists what it replaces. */
import { addToRootModule, type AddResult, configuresModule } from './add-to-root-module.js';
import { findRootModule } from './find-root-module.js';
import { findSetup, replacedBindings } from './find-setup.js';
import type { TypeScript } from './load-typescript.js';
import type { Logger, Project } from './project.js';
import { removeSetup } from './remove-setup.js';
import { describeSetup, unusedPackages } from './report.js';
import { Source } from './source.js';

export function protectApp(project: Project, logger: Logger, compiler: TypeScript, replace: boolean): void {
  const sources = new Map(
    project.sources().map(path => [path, new Source(compiler, project.read(path) ?? '')] as const),
  );
  const root = findRootModule(project, compiler);
  const isConfigured = [...sources.values()].some(configuresModule);
  const added = isConfigured ? undefined : addTo(root && sources.get(root.path), root?.className);
  const isProtected = added === undefined || 'text' in added;
  if (!isProtected) {
    const place = root ? nameOf(root.path) : 'the root module';
    logger.warn(`Add AgentSecurityModule.forRoot() to the imports of ${place}: ${added.unsure}.`);
  }

  const after = new Map<string, Source>();
  for (const [path, original] of sources) {
    const isRoot = path === root?.path;
    const source = isRoot && added && 'text' in added ? new Source(compiler, added.text) : original;
    // Nothing is removed before its replacement is there.
    const isRemoved = replace && isProtected && (isRoot || path === `${project.sourceRoot}/main.ts`);
    const { text, removed } = isRemoved
      ? removeSetup(source, isThrottlerNeeded(sources, original))
      : { text: source.text, removed: [] };
    const result = new Source(compiler, text);
    for (const setup of removed) logger.info(`Removed from ${nameOf(path)}${describeSetup(source, setup)}`);
    for (const setup of findSetup(result))
      logger.warn(`Remove manually from ${nameOf(path)}${describeSetup(result, setup)}`);
    if (text !== original.text) project.write(path, text);
    after.set(path, result);
  }
  if (!replace && [...after.values()].flatMap(findSetup).some(({ isRemovable }) => isRemovable))
    logger.info('Run it again with --skip-install --replace to remove what can be removed without a doubt.');
  const unused = unusedPackages(sources, after);
  if (unused.length > 0)
    logger.info(`No file of ${nameOf(project.sourceRoot)} imports these any more: ${unused.join(', ')}`);
}

const nameOf = (path: string): string => path.slice(1);

const addTo = (source: Source | undefined, className: string | undefined): AddResult =>
  source
    ? addToRootModule(source, className)
    : { unsure: 'no file was found that main.ts gives to NestFactory.create()' };

/** Whether another file uses more of `@nestjs/throttler` than its decorators. */
const isThrottlerNeeded = (sources: ReadonlyMap<string, Source>, own: Source): boolean =>
  [...sources.values()].some(
    source => source !== own && replacedBindings(source).some(({ from }) => from === '@nestjs/throttler'),
  );
