/*
 * Builds what is published: per entry point of package.json one module and one declaration file with docstrings, and chunks for what entry
 * points share or load lazily. Development and tests use `tsc -b tsconfig.build.json`, which writes the same entry points unbundled.
 *   npm run build                            builds dist
 *   node scripts/build.mjs --out FOLDER      builds elsewhere
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { minify } from 'terser';
import ts from 'typescript';
import { writeRequireEntries } from './require-entries.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'dist') } } });
const out = resolve(values.out);
// The compiler looks for the types of Node.js from here.
process.chdir(ROOT);

/** The helpers of TypeScript, from its own package, so that they exist once. */
const helpers = {
  name: 'helpers',
  resolveId: id => (id === 'tslib' ? join(ROOT, 'node_modules/tslib/tslib.es6.mjs') : null),
};

/**
 * An editor shows the comments of the declarations. Names of functions and classes stay, and lines are at most about 500 characters long,
 * so that a stack trace says where; names of variables and private fields become short.
 */
const compact = {
  name: 'compact',
  async renderChunk(code) {
    const { code: compacted } = await minify(code, {
      ecma: 2022,
      compress: false,
      mangle: { keep_classnames: true, keep_fnames: true },
      format: { comments: false, max_line_len: 500 },
    });
    return { code: compacted, map: null };
  },
};

/** Only what is exported is described: an editor does not show the comments of the other declarations. */
const describesExports = {
  name: 'describes-exports',
  renderChunk(code) {
    const file = ts.createSourceFile('chunk.d.ts', code, ts.ScriptTarget.Latest, true);
    const exported = new Set(
      file.statements
        .flatMap(each => each.exportClause?.elements ?? [])
        .map(({ name, propertyName = name }) => propertyName.text),
    );
    const isDescribed = each => {
      const { name } = each.declarationList?.declarations[0] ?? each;
      return name === undefined || exported.has(name.text);
    };
    const texts = file.statements.map(each =>
      isDescribed(each) ? each.getFullText() : each.getFullText().replace(/\/\*\*[^]*?\*\/\s*/g, ''),
    );
    return { code: texts.join(''), map: null };
  },
};

const modules = mkdtempSync(join(tmpdir(), 'modules-'));
try {
  compile();
  const { exports, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const open = Object.values(exports).flatMap(target => target.default ?? []);
  const runs = [
    ...open.map(target => target.default),
    ...Object.values(bin),
    './dist/schematics/nest-add.js',
  ];
  const types = open.map(target => target.types);
  rmSync(out, { recursive: true, force: true });
  // The collection and the schemas that the Nest CLI reads.
  cpSync(join(ROOT, 'src/schematics'), join(out, 'schematics'), {
    recursive: true,
    filter: name => !name.endsWith('.ts'),
  });
  await bundle(runs, '.js', [compact]);
  await bundle(types, '.d.ts', [dts(), describesExports]);
  const written = types.map(path => path.replace('./dist/', ''));
  for (const file of written) markTypes(join(out, file), join(modules, file));
  writeRequireEntries(written.map(file => join(out, file)));
} finally {
  rmSync(modules, { recursive: true, force: true });
}

/** TypeScript checks and compiles, since the metadata of decorators depends on types across files. */
function compile() {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.build.json'), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const noMaps = { composite: false, incremental: false, sourceMap: false, inlineSources: false };
  Object.assign(options, noMaps, { outDir: modules, importHelpers: true });
  delete options.tsBuildInfoFile;
  const typed = ts.createProgram(fileNames, options);
  const problems = ts.getPreEmitDiagnostics(typed);
  if (problems.length > 0) {
    const host = {
      getCurrentDirectory: () => ROOT,
      getCanonicalFileName: name => name,
      getNewLine: () => '\n',
    };
    process.stderr.write(ts.formatDiagnostics(problems, host));
    process.exit(1);
  }
  typed.emit();
}

async function bundle(targets, extension, plugins) {
  const names = targets.map(path => path.replace('./dist/', '').slice(0, -extension.length));
  const files = names.map(name => join(modules, name + extension));
  const bundled = await rollup({
    input: Object.fromEntries(names.map((name, index) => [name, files[index]])),
    external: id => !id.startsWith('.') && !id.startsWith(modules) && !id.includes('tslib'),
    plugins: [helpers, ...plugins],
    onwarn: warning => {
      // A base class that no entry point exports.
      if (warning.plugin === 'dts') return;
      throw new Error(`${warning.code}: ${warning.message}`);
    },
  });
  const { output } = await bundled.write({
    dir: out,
    format: 'es',
    generatedCode: 'es2015',
    hoistTransitiveImports: false,
    entryFileNames: `[name]${extension}`,
    chunkFileNames: `chunks/[name]${extension}`,
    manualChunks: (id, { getModuleInfo }) => chunkOf(id, files, getModuleInfo),
  });
  await bundled.close();
  for (const { fileName, code } of output) checkNames(fileName, code);
}

/** What the main entry point shares with others is one chunk, which needs no Nest; what only `./redis` has is one more, which is loaded lazily. */
function chunkOf(id, [main, ...others], getModuleInfo) {
  const reaches = (from, seen = new Set()) => {
    if (seen.has(from)) return seen;
    seen.add(from);
    for (const next of getModuleInfo(from)?.importedIds ?? []) reaches(next, seen);
    return seen;
  };
  const owners = others.filter(file => reaches(file).has(id));
  if (owners.length === 0) return undefined;
  if (reaches(main).has(id)) return 'shared';
  return basename(dirname(owners[0]));
}

/** What the source exports as a type only, such as a class that the package alone creates, is not there at run time. */
function markTypes(file, source) {
  const { statements } = ts.createSourceFile(source, readFileSync(source, 'utf8'), ts.ScriptTarget.Latest);
  const specifiers = statements.flatMap(each => each.exportClause?.elements ?? []);
  const names = new Set(specifiers.filter(each => each.isTypeOnly).map(({ name }) => name.text));
  const mark = each => (names.has(each.split(' as ').at(-1)) ? `type ${each}` : each);
  const marked = readFileSync(file, 'utf8').replace(
    /^export \{ (.+) \}/gm,
    (_all, list) => `export { ${list.split(', ').map(mark).join(', ')} }`,
  );
  writeFileSync(file, marked);
}

/** A class that the bundler renames has another name in Nest's errors, in logs and in `error.name`. */
function checkNames(fileName, code) {
  const renamed = /\bclass \w+\$\w+/.exec(code);
  if (renamed) throw new Error(`${fileName} has ${renamed[0]}: two modules have a class of that name`);
}
