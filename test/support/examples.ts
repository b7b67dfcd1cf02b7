/* The docstrings of what the entry points export, and a program that type-checks their examples. */
import { join, resolve } from 'node:path';
import ts from 'typescript';

export const ROOT = resolve(__dirname, '../..');
const ENTRIES = ['src/index.ts', 'src/redis/index.ts'];
/** The examples, which exist for the compiler only. They lie in the package, so that its name resolves to src. */
const FOLDER = join(ROOT, 'examples');
const PRELUDE = join(ROOT, 'test/fixtures/examples/prelude.d.ts');

/** What examples import from other packages. */
const IMPORTS: Readonly<Record<string, string>> = {
  '@nestjs/common':
    'Body Catch Controller Delete Get Module Param Post UnauthorizedException ValidationPipe type ArgumentsHost',
  '@nestjs/config': 'ConfigService',
  '@nestjs/core': 'BaseExceptionFilter NestFactory',
  '@nestjs/throttler': 'ThrottlerModule',
  'node:diagnostics_channel': 'subscribe',
  'node:fs/promises': 'readFile',
  'node:timers/promises': 'setTimeout:delay',
  ioredis: 'Redis',
  redis: 'createClient',
};

export interface DocumentedExport {
  readonly name: string;
  readonly text: string;
  readonly examples: readonly string[];
}

/** The names that a file exports, with the docstrings of their declarations. */
export function readExports(program: ts.Program, path: string): DocumentedExport[] {
  const checker = program.getTypeChecker();
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path)!)!)
    .map(exported => {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
      return { name: exported.name, ...readDocstring(symbol.declarations![0]!) };
    });
}

/** Not by the compiler's own reader, for which a decorator at the start of a line is a tag. */
function readDocstring(declaration: ts.Declaration): Omit<DocumentedExport, 'name'> {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const source = node.getSourceFile().text;
  const docstring = (ts.getLeadingCommentRanges(source, node.getFullStart()) ?? [])
    .map(({ pos, end }) => source.slice(pos, end))
    .findLast(comment => comment.startsWith('/**'));
  const [text, ...examples] = (docstring ?? '')
    .slice(3, -2)
    .split('\n')
    .map(line => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .split(/(?:^|\s)@example\b/)
    .map(part => part.split(/(?:^|\s)@(?:default|see|throws|param|returns)\b/)[0]!.trim());
  return { text: text!, examples };
}

/** An example with its surroundings: a member of a class, an option, or the body of a function. */
export function surround(example: string): string {
  if (/^[a-z]\w*: /i.test(example)) return `AgentSecurityModule.forRoot({ ${example} });`;
  const isMember = /^\w+\([^()]*(?:\(\))?[^()]*\)? ?.*\{/.test(example) && !/;$|^\w+\.|\)$/.test(example);
  const isDecorated = example.startsWith('@') && !/^(?:export )?class /m.test(example);
  if (!isMember && !isDecorated)
    return /^export /m.test(example) ? example : `export async function run() {\n${example}\n}`;
  // Decorators alone stand for those of a handler.
  const member = /\}$/.test(example) ? example : `${example}\nhandler() {}`;
  return `export class Example extends Controllers {\n${member}\n}`;
}
