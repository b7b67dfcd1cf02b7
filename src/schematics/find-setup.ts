/* Finds the set-up of helmet, cors, enableCors() and @nestjs/throttler in main.ts or the root module. */
import type ts from 'typescript';
import { type Binding, importBindings } from './import-bindings.js';
import { isRemovable } from './is-removable.js';
import {
  KEPT_DECORATORS,
  REPLACED_METHODS,
  REPLACED_PACKAGES,
  type ReplacedBy,
} from './replaced-packages.js';
import type { Source } from './source.js';

export interface Setup {
  /** What would be removed: a statement, a member of an object or an element of a list. */
  readonly node: ts.Node;
  /** Where the package or the method is named. */
  readonly use: ts.Node;
  readonly by: ReplacedBy;
  /** Whether the code has one of the forms that can be removed. */
  readonly isRemovable: boolean;
}

/** The bindings of packages that the module replaces, without the decorators that it obeys. */
export const replacedBindings = (source: Source): Binding[] =>
  importBindings(source).filter(
    ({ from, imported }) => Object.hasOwn(REPLACED_PACKAGES, from) && !KEPT_DECORATORS.has(imported),
  );

export function findSetup(source: Source): Setup[] {
  const found = new Map<ts.Node, Setup>();
  const bindings = replacedBindings(source);
  const add = (node: ts.Node, use: ts.Node, by: ReplacedBy): void => {
    if (!found.has(node))
      found.set(node, { node, use, by, isRemovable: isRemovable(source, node, bindings) });
  };
  for (const { local, from, node } of bindings)
    for (const use of source.references(local))
      if (use.pos < node.pos || use.end > node.end) add(targetOf(source, use), use, REPLACED_PACKAGES[from]!);
  for (const [use, by] of replacedMethods(source)) add(targetOf(source, use), use, by);
  for (const member of corsMembers(source)) add(member, member, 'cors');
  return [...found.values()].toSorted((a, b) => a.node.pos - b.node.pos);
}

/** The statement around a node; in the metadata of a module, the element of the list. */
function targetOf({ compiler: ts }: Source, node: ts.Node): ts.Node {
  let target = node;
  while (!ts.isStatement(target) && !ts.isSourceFile(target.parent)) {
    const { parent } = target;
    const isElement = ts.isArrayLiteralExpression(parent) && ts.isPropertyAssignment(parent.parent);
    if (isElement && ts.isDecorator(parent.parent.parent.parent.parent)) break;
    target = parent;
  }
  return target;
}

function replacedMethods(source: Source): [ts.Node, ReplacedBy][] {
  const { isPropertyAccessExpression, isCallExpression } = source.compiler;
  return source
    .find(isPropertyAccessExpression)
    .filter(({ name, parent }) => Object.hasOwn(REPLACED_METHODS, name.text) && isCallExpression(parent))
    .map(access => [access.name, REPLACED_METHODS[access.name.text]!]);
}

/** `cors` of `NestFactory.create(AppModule, { cors: … })`, unless it is `false`. */
function corsMembers(source: Source): ts.ObjectLiteralElementLike[] {
  const { compiler: ts } = source;
  return source
    .find(ts.isCallExpression)
    .filter(({ expression }) => /^NestFactory\s*\.\s*create$/.test(expression.getText()))
    .flatMap(call => call.arguments.filter(ts.isObjectLiteralExpression))
    .flatMap(({ properties }) => properties.filter(({ name }) => name?.getText() === 'cors'))
    .filter(
      member => !ts.isPropertyAssignment(member) || member.initializer.kind !== ts.SyntaxKind.FalseKeyword,
    );
}
