/* Loads the module of an app, as ESM or CommonJS, and starts it without listening. Nest is loaded from where the app finds it: a second copy
 * of Nest would not know the app's classes. */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CheckAppOptions } from '../check/check-app.options.js';
import type { CheckReport } from '../check/finding.js';
import { within } from '../common/within.js';
import { CommandError } from './usage.js';

/** A database that is down is mostly given up earlier. */
const START_MS = 120_000;
/** The process ends behind the report, whether or not the app has closed. */
const CLOSE_MS = 2_000;

export interface AppToLoad {
  /** The path of the module's file. */
  readonly module: string;
  /** The name of the export that is the root module. */
  readonly exportName: string | undefined;
  readonly platform: string | undefined;
}

type Exports = Readonly<Record<string, unknown>>;
type Constructor = new () => unknown;

interface App {
  init(): Promise<unknown>;
  close(): Promise<void>;
  get(token: unknown): Map<string, { readonly metatype: unknown }>;
}

interface SecurityModule {
  check(app: App, options: CheckAppOptions): Promise<CheckReport>;
}

/** @throws the error of the app, if it does not start */
export async function checkLoadedApp(app: AppToLoad, options: CheckAppOptions): Promise<CheckReport> {
  const write = process.stdout.write;
  // What the app prints must not stand in the report.
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    return await load(app, options);
  } finally {
    process.stdout.write = write;
  }
}

async function load(appToLoad: AppToLoad, options: CheckAppOptions): Promise<CheckReport> {
  const late = `The app did not start within ${START_MS / 1_000} s.`;
  const { app, container } = await within(start(appToLoad), START_MS, late);
  try {
    return await findSecurityModule(app, container).check(app, options);
  } finally {
    await within(app.close(), CLOSE_MS).catch(() => undefined);
  }
}

async function start({
  module,
  exportName,
  platform,
}: AppToLoad): Promise<{ readonly app: App; readonly container: unknown }> {
  const path = resolve(module);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new CommandError(`There is no file ${module}. Build the app first, and name its root module.`);
  if (/\.[cm]?tsx?$/.test(path))
    throw new CommandError(`${module} is TypeScript. Build the app first, and name the built root module.`);
  const root = pickModule(await importFile(path), exportName, module);
  const core = await importPackage(path, '@nestjs/core');
  if (core === undefined) throw new CommandError(`@nestjs/core is not installed where ${module} is.`);
  const factory = core['NestFactory'] as { create(...args: unknown[]): Promise<App> };
  const app = await factory.create(root, await createAdapter(path, platform), {
    abortOnError: false,
    logger: false,
  });
  await app.init();
  return { app, container: core['ModulesContainer'] };
}

/** Of a CommonJS module, Node may see the default export alone. */
async function importFile(path: string): Promise<Exports> {
  const loaded = (await import(pathToFileURL(path).href)) as Exports;
  const inner = loaded['default'];
  return typeof inner === 'object' && inner !== null ? { ...inner, ...loaded } : loaded;
}

async function importPackage(from: string, name: string): Promise<Exports | undefined> {
  let path: string;
  try {
    path = createRequire(from).resolve(name);
  } catch {
    return undefined;
  }
  return importFile(path);
}

function pickModule(exports: Exports, exportName: string | undefined, module: string): unknown {
  const classes = Object.entries(exports).filter(([, value]) => typeof value === 'function');
  const names = exportName === undefined ? ['AppModule', 'default'] : [exportName];
  const named = classes.find(([name]) => names.includes(name)) ?? [];
  const only = exportName === undefined && classes.length === 1 ? classes[0]![1] : undefined;
  const root = named[1] ?? only;
  if (root !== undefined) return root;
  const found = classes.map(([name]) => name).join(', ') || 'none';
  throw new CommandError(
    `${module} exports no class ${names[0]}. Its classes: ${found}. Name the root module with --export.`,
  );
}

const PLATFORMS = { express: 'ExpressAdapter', fastify: 'FastifyAdapter' } as const;

/** Of the platform that is installed; Express where both are, as Nest does. */
async function createAdapter(from: string, platform: string | undefined): Promise<unknown> {
  for (const [name, adapter] of Object.entries(PLATFORMS)) {
    if (platform !== undefined && platform !== name) continue;
    const found = await importPackage(from, `@nestjs/platform-${name}`);
    if (found !== undefined) return new (found[adapter] as Constructor)();
  }
  throw new CommandError(`@nestjs/platform-${platform ?? 'express'} is not installed.`);
}

/** By its name: the app may use another copy of this package than the command. */
function findSecurityModule(app: App, container: unknown): SecurityModule {
  for (const { metatype } of app.get(container).values())
    if (typeof metatype === 'function' && metatype.name === 'AgentSecurityModule' && 'check' in metatype)
      return metatype as unknown as SecurityModule;
  throw new CommandError(
    'The module does not import AgentSecurityModule, or a version of it without check().',
  );
}
