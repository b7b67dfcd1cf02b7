/* The schematic of `nest add nestjs-agent-security`. */
import { posix } from 'node:path';
import { addDependency } from './add-dependency.js';
import { addVariables } from './env-example.js';
import { loadTypeScript } from './load-typescript.js';
import { protectApp } from './protect-app.js';
import { Project, type Rule } from './project.js';

export interface NestAddOptions {
  readonly sourceRoot?: string;
  /** Removes the set-up that the module replaces. Without it, the set-up is listed. */
  readonly replace?: boolean;
}

const JEST_NOTE =
  'Jest does not load ES modules from node_modules, and this package consists of them: ' +
  'the guide "Testing" (docs/guides/testing.md) has a configuration that compiles them.';

/** The factory that `collection.json` names. */
export function nestAdd({ sourceRoot = 'src', replace = false }: NestAddOptions): Rule {
  return (tree, { logger }) => {
    const project = new Project(tree, posix.resolve('/', sourceRoot));
    const manifest = project.read('/package.json');
    const withDependency = manifest === undefined ? undefined : addDependency(manifest);
    if (withDependency !== undefined) {
      project.write('/package.json', withDependency);
      logger.info('package.json has a new dependency: install it with your package manager.');
    }
    const variables = addVariables(project.read('/.env.example'));
    if (variables !== undefined) project.write('/.env.example', variables);
    const compiler = loadTypeScript();
    if (compiler) protectApp(project, logger, compiler, replace);
    else
      logger.warn(
        'Add AgentSecurityModule.forRoot() to the imports of the root module: there is no TypeScript here that could do it.',
      );
    // A dependency, or a configuration in the manifest.
    if (manifest?.includes('"jest"') === true) logger.info(JEST_NOTE);
    logger.info(
      'Before you deploy, set the variables of .env.example. Until then the app serves localhost alone.',
    );
  };
}
