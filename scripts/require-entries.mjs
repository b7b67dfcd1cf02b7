/*
 * What `require()` of an entry point reads: a module that hands on the ES module, so that everything exists once, and declarations that
 * refer to those of `import`, so that a type is the same in both. TypeScript with `module: node16` or `node18` needs them, since it knows no
 * `require()` of an ES module. The docstrings are repeated, because an editor shows them.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import ts from 'typescript';

/** Writes `index.cjs` and `index.d.cts` beside each `index.d.ts`. */
export function writeRequireEntries(files) {
  const program = ts.createProgram(files, { module: ts.ModuleKind.NodeNext, skipLibCheck: true, types: [] });
  const checker = program.getTypeChecker();
  for (const file of files) {
    const source = `'./${basename(file, '.d.ts')}.js' with { 'resolution-mode': 'import' }`;
    const types = [];
    const values = [];
    for (const exported of checker.getExportsOfModule(
      checker.getSymbolAtLocation(program.getSourceFile(file)),
    )) {
      const { name, flags } = exported;
      const symbol = flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const isType = exported.declarations.some(ts.isTypeOnlyExportDeclaration);
      if (isType || !(symbol.flags & ts.SymbolFlags.Value)) types.push(name);
      else values.push(declare(name, symbol));
    }
    const text = `import type * as esm from ${source};\nexport type { ${types.join(', ')} } from ${source};\n${values.join('')}`;
    writeFileSync(file.replace(/\.d\.ts$/, '.d.cts'), text);
    const module = `module.exports = require('./${basename(file, '.d.ts')}.js');\n`;
    writeFileSync(file.replace(/\.d\.ts$/, '.cjs'), module);
  }
}

function declare(name, { declarations, flags }) {
  const isGeneric = declarations.some(each => ts.isClassDeclaration(each) && each.typeParameters);
  if (isGeneric) throw new Error(`The class ${name} is generic: write its type parameters too`);
  const node = declarations.find(ts.isVariableDeclaration)?.parent.parent ?? declarations[0];
  const docs = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc)?.getText() ?? '';
  const type = flags & ts.SymbolFlags.Type ? `export type ${name} = esm.${name};\n` : '';
  return `${docs}\nexport declare const ${name}: typeof esm.${name};\n${type}`;
}
