/* The forms of set-up that can be removed without a doubt. Everything else is reported and stays. */
import type ts from 'typescript';
import type { Binding } from './import-bindings.js';
import { REPLACED_METHODS, REPLACED_PACKAGES } from './replaced-packages.js';
import type { Source } from './source.js';

type Names = ReadonlyMap<string, Binding>;

export function isRemovable({ compiler: ts }: Source, node: ts.Node, bindings: readonly Binding[]): boolean {
  const names: Names = new Map(bindings.map(binding => [binding.local, binding]));
  if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) return true;
  if (ts.isExpressionStatement(node)) return isRemovableStatement(ts, node, names);
  return isThrottlerModule(ts, node, names) || isThrottlerGuard(ts, node, names);
}

/** A statement of its own in a function or in the file: `app.use(helmet())`, `await app.register(cors)`, `app.enableCors()`. */
function isRemovableStatement(compiler: typeof ts, node: ts.ExpressionStatement, names: Names): boolean {
  const { parent, expression } = node;
  const isOfFunction = compiler.isBlock(parent) && compiler.isFunctionLike(parent.parent);
  if (!compiler.isSourceFile(parent) && !isOfFunction) return false;
  const call = compiler.isAwaitExpression(expression) ? expression.expression : expression;
  if (!compiler.isCallExpression(call) || !compiler.isPropertyAccessExpression(call.expression)) return false;
  const { expression: app, name } = call.expression;
  if (!compiler.isIdentifier(app)) return false;
  if (Object.hasOwn(REPLACED_METHODS, name.text)) return true;
  const isMiddleware = (argument: ts.Expression): boolean =>
    compiler.isCallExpression(argument) && isOfHeadersOrCors(compiler, argument.expression, names);
  if (name.text === 'use') return call.arguments.length > 0 && call.arguments.every(isMiddleware);
  const [plugin] = call.arguments;
  return name.text === 'register' && plugin !== undefined && isOfHeadersOrCors(compiler, plugin, names);
}

/** `helmet`, `helmet.frameguard`, `cors`. The limits of other packages are reported only: those of the module are other ones. */
function isOfHeadersOrCors(compiler: typeof ts, node: ts.Expression, names: Names): boolean {
  const root = compiler.isPropertyAccessExpression(node) ? node.expression : node;
  const binding = compiler.isIdentifier(root) ? names.get(root.text) : undefined;
  return binding !== undefined && REPLACED_PACKAGES[binding.from] !== 'rateLimit';
}

const isThrottlerName = (node: ts.Node, names: Names, imported: string): boolean => {
  const binding = names.get(node.getText());
  return binding?.from === '@nestjs/throttler' && binding.imported === imported;
};

function isThrottlerModule(compiler: typeof ts, node: ts.Node, names: Names): boolean {
  if (!compiler.isCallExpression(node) || !compiler.isPropertyAccessExpression(node.expression)) return false;
  const { expression, name } = node.expression;
  return /^forRoot(?:Async)?$/.test(name.text) && isThrottlerName(expression, names, 'ThrottlerModule');
}

/** `{ provide: APP_GUARD, useClass: ThrottlerGuard }` */
function isThrottlerGuard(compiler: typeof ts, node: ts.Node, names: Names): boolean {
  if (!compiler.isObjectLiteralExpression(node) || node.properties.length !== 2) return false;
  const valueOf = (key: string): ts.Expression | undefined =>
    node.properties.filter(compiler.isPropertyAssignment).find(({ name }) => name.getText() === key)
      ?.initializer;
  const [token, guard] = [valueOf('provide'), valueOf('useClass')];
  return (
    token?.getText() === 'APP_GUARD' && guard !== undefined && isThrottlerName(guard, names, 'ThrottlerGuard')
  );
}
