/*
 * Builds what is published: modules without comments and source maps, and the declarations, with their docstrings, that the package's
 * entry points reach. Development and tests use the incremental `tsc -b tsconfig.build.json`, which keeps comments and writes maps.
 *   npm run build                            builds dist
 *   node scripts/build.mjs --out FOLDER      builds elsewhere
 */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'dist') } } });
const out = resolve(values.out);

const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.build.json'), ts.sys.readFile);
const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
Object.assign(options, {
  outDir: out,
  composite: false,
  incremental: false,
  sourceMap: false,
  inlineSources: false,
});
delete options.tsBuildInfoFile;

rmSync(out, { recursive: true, force: true });
const typed = ts.createProgram(fileNames, options);
const problems = ts.getPreEmitDiagnostics(typed);
if (problems.length > 0) {
  process.stderr.write(
    ts.formatDiagnostics(problems, {
      getCurrentDirectory: () => ROOT,
      getCanonicalFileName: name => name,
      getNewLine: () => '\n',
    }),
  );
  process.exit(1);
}
typed.emit(undefined, undefined, undefined, true);
ts.createProgram(
  fileNames,
  { ...options, declaration: false, removeComments: true },
  undefined,
  typed,
).emit();

/** Declarations that the entry points reach, by `import` and `import()`. */
const reached = new Set();
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const open = Object.values(exports)
  .flatMap(({ types }) => types ?? [])
  .map(path => join(out, path.replace('./dist/', '')));
for (let file = open.pop(); file !== undefined; file = open.pop()) {
  if (reached.has(file)) continue;
  reached.add(file);
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true);
  for (const { fileName } of importedFiles) {
    if (fileName.startsWith('.')) open.push(join(dirname(file), fileName.replace(/\.js$/, '.d.ts')));
  }
}
for (const file of ts.sys.readDirectory(out, ['.d.ts'])) if (!reached.has(resolve(file))) rmSync(file);

// The collection and the schemas that the Nest CLI reads.
const isData = name => !name.endsWith('.ts');
cpSync(join(ROOT, 'src/schematics'), join(out, 'schematics'), { recursive: true, filter: isData });
