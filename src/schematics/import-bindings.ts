/* What a file imports, by the local name. */
import type ts from 'typescript';
import type { Source } from './source.js';

export interface Binding {
  readonly local: string;
  /** The name in the module: `default`, `*` or the exported name. */
  readonly imported: string;
  readonly from: string;
  /** The import specifier, or the whole statement where it imports this name alone. */
  readonly node: ts.Node;
  readonly isType: boolean;
}

export function importBindings(source: Source): Binding[] {
  return source.file.statements.flatMap(statement => ofStatement(source, statement));
}

function ofStatement({ compiler: ts }: Source, node: ts.Statement): Binding[] {
  if (ts.isImportEqualsDeclaration(node)) {
    const from = ts.isExternalModuleReference(node.moduleReference) && node.moduleReference.expression;
    if (!from || !ts.isStringLiteral(from)) return [];
    return [{ local: node.name.text, imported: '*', from: from.text, node, isType: node.isTypeOnly }];
  }
  if (ts.isVariableStatement(node)) {
    const [declaration] = node.declarationList.declarations;
    const call = declaration?.initializer;
    const isRequire = call && ts.isCallExpression(call) && call.expression.getText() === 'require';
    const from = isRequire && call.arguments[0];
    if (!declaration || !from || !ts.isStringLiteral(from) || !ts.isIdentifier(declaration.name)) return [];
    return [{ local: declaration.name.text, imported: '*', from: from.text, node, isType: false }];
  }
  if (!ts.isImportDeclaration(node) || !node.importClause || !ts.isStringLiteral(node.moduleSpecifier))
    return [];
  const { name, namedBindings, isTypeOnly } = node.importClause;
  const from = node.moduleSpecifier.text;
  const named = namedBindings && ts.isNamedImports(namedBindings) ? namedBindings.elements : [];
  const whole = (local: ts.Identifier, imported: string): Binding[] => [
    { local: local.text, imported, from, node, isType: isTypeOnly },
  ];
  return [
    ...(name ? whole(name, 'default') : []),
    ...(namedBindings && ts.isNamespaceImport(namedBindings) ? whole(namedBindings.name, '*') : []),
    ...named.map(each => ({
      local: each.name.text,
      imported: (each.propertyName ?? each.name).text,
      from,
      node: each,
      isType: isTypeOnly || each.isTypeOnly,
    })),
  ];
}
