/* Every log call of src: variable text must go through common/log-text.ts, whatever its source. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const SRC = join(__dirname, '..', 'src');
const METHODS = /^(?:log|warn|error|debug|verbose|fatal|logError|emitWarning)$/;
const RECEIVERS = /(?:^|[.#])(?:log|logger|hooks|console|process)$/i;
const SANITIZERS = /^(?:logLine|logBlock|logText|logStack|escapeText)$/;

/** Whether a call writes to a log: `log.warn(…)`, `this.#logger?.error(…)`, `this.warn(…)`, `warn(…)`, `process.emitWarning(…)`. */
function isLogCall({ expression }: ts.CallExpression): boolean {
  if (ts.isIdentifier(expression)) return METHODS.test(expression.text) && expression.text !== 'log';
  if (!ts.isPropertyAccessExpression(expression)) return false;
  const receiver = expression.expression.getText().replace(/[?!]/g, '');
  const method = expression.name.text;
  return receiver === 'this'
    ? /^(?:warn|logError)$/.test(method)
    : METHODS.test(method) && RECEIVERS.test(receiver);
}

/** A literal, or what a sanitizer made. */
function isSafe(node: ts.Expression): boolean {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return true;
  if (ts.isTaggedTemplateExpression(node)) return SANITIZERS.test(node.tag.getText());
  if (ts.isCallExpression(node)) return SANITIZERS.test(node.expression.getText());
  if (ts.isParenthesizedExpression(node)) return isSafe(node.expression);
  if (ts.isBinaryExpression(node)) return isSafe(node.left) && isSafe(node.right);
  if (ts.isConditionalExpression(node)) return isSafe(node.whenTrue) && isSafe(node.whenFalse);
  return ts.isIdentifier(node) && node.text === 'undefined';
}

interface LogCall {
  readonly place: string;
  readonly text: string;
  readonly safe: boolean;
}

function logCallsOf(name: string, text: string): LogCall[] {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true);
  const found: LogCall[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isLogCall(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      found.push({ place: `${name}:${line + 1}`, text: node.getText(), safe: node.arguments.every(isSafe) });
    }
    node.forEachChild(visit);
  };
  visit(source);
  return found;
}

// The schematics print to a developer's terminal what stands in the files of their own project.
const CALLS = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts') && !name.startsWith('schematics'))
  .flatMap(name => logCallsOf(name, readFileSync(join(SRC, name), 'utf8')));

/** Objects for loggers such as pino, which write them as JSON themselves; and where a store's own text is handed on, sanitized there. */
const EXCEPTIONS = ['logger.log(asObject ? record : escapeText(text))'];

test('the log calls are found', () => {
  expect(CALLS.length).toBeGreaterThan(25);
  const files = CALLS.map(({ place }) => place.split(':')[0]!);
  expect(files).toEqual(
    expect.arrayContaining([
      'auth/authenticator.ts',
      'auth/key-book-store.ts',
      'events/security-events.ts',
      'errors/log-failure.ts',
      'edge/edge.ts',
      'rate-limit/dynamic-limits.ts',
    ]),
  );
});

test('every log call is free of variable text that did not go through the sanitizer', () => {
  const unsafe = CALLS.filter(({ safe, text }) => !safe && !EXCEPTIONS.includes(text));
  expect(unsafe.map(({ place, text }) => `${place} ${text}`)).toEqual([]);
});

test.each([
  'this.log.warn(`${peer} came`)',
  'log.error(`failed: ${String(error)}`)',
  'this.#logger?.error(message)',
  "log.warn('failed: ' + reason)",
  'this.warn(`${message}`)',
  'hooks.warn(message)',
  'console.error(error)',
  'process.emitWarning(`${error}`)',
  'log.error(logLine`ok`, stack)',
])('a planted violation is found: %s', call => {
  expect(logCallsOf('planted.ts', call)).toMatchObject([{ safe: false }]);
});
