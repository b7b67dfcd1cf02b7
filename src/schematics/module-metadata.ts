/* The object of `@Module({ … })` on the root module's class. */
import type ts from 'typescript';
import { importBindings } from './import-bindings.js';
import type { Source } from './source.js';

/** A text says why there is no object that can be edited. */
export function moduleMetadata(
  source: Source,
  className: string | undefined,
): ts.ObjectLiteralExpression | string {
  const { compiler: ts, file } = source;
  const names = new Set(['Module']);
  for (const { local, imported, from } of importBindings(source))
    if (from === '@nestjs/common' && imported === 'Module') names.add(local);

  const calls = file.statements.filter(ts.isClassDeclaration).flatMap(node =>
    (ts.getDecorators(node) ?? [])
      .map(({ expression }) => expression)
      .filter(ts.isCallExpression)
      .filter(({ expression }) =>
        ts.isPropertyAccessExpression(expression)
          ? expression.name.text === 'Module'
          : ts.isIdentifier(expression) && names.has(expression.text),
      )
      .map(call => ({ name: node.name?.text, call })),
  );
  const named = calls.filter(({ name }) => name === className);
  const [found, ...others] = named.length === 1 ? named : calls;
  if (!found || others.length > 0) return 'it has no class, or more than one, with @Module()';
  const [metadata] = found.call.arguments;
  if (!metadata || !ts.isObjectLiteralExpression(metadata))
    return 'the argument of @Module() is no object literal';
  if (metadata.properties.some(({ name }) => !name || ts.isComputedPropertyName(name)))
    return 'the object of @Module() has a spread or a computed key';
  return metadata;
}

/** The list of `imports` or `providers`, if it is there. A text says why it cannot be edited. */
export function listOf(
  source: Source,
  metadata: ts.ObjectLiteralExpression,
  key: string,
): ts.ArrayLiteralExpression | string | undefined {
  const { compiler: ts } = source;
  const [found, ...others] = metadata.properties.filter(
    ({ name }) => name && (ts.isIdentifier(name) || ts.isStringLiteral(name)) && name.text === key,
  );
  if (!found) return undefined;
  const isList = ts.isPropertyAssignment(found) && ts.isArrayLiteralExpression(found.initializer);
  return isList && others.length === 0
    ? (found.initializer as ts.ArrayLiteralExpression)
    : `its ${key} are no list in brackets`;
}
