/* The docstrings of what the entry points export, and a program that type-checks their examples. */
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
/** The entry points, and the names that users import them by. */
const ENTRIES = new Map([
  [join(ROOT, 'src/index.ts'), 'nestjs-agent-security'],
  [join(ROOT, 'src/redis/index.ts'), 'nestjs-agent-security/redis'],
]);
/** What examples take as given. */
const PRELUDE = join(ROOT, 'test/fixtures/examples/prelude.d.ts');

/** What examples import from other packages. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  '@nestjs/common':
    'Body Catch Controller Delete Get Module Param Post UnauthorizedException ValidationPipe'.split(' '),
  '@nestjs/config': ['ConfigModule', 'ConfigService'],
  '@nestjs/core': ['BaseExceptionFilter', 'NestFactory'],
  '@nestjs/terminus': ['HealthCheckService'],
  '@nestjs/throttler': ['ThrottlerModule'],
  'node:diagnostics_channel': ['subscribe'],
  'node:fs/promises': ['readFile'],
  'node:timers/promises': ['setTimeout as delay'],
  ioredis: ['Redis'],
  redis: ['createClient'],
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

/** An example with its surroundings: an option, a member of a class, a module or the body of a function. */
function surround(example: string): string {
  if (/^[a-z]\w*: /i.test(example)) return `AgentSecurityModule.forRoot({ ${example} });`;
  const isMember = example.startsWith('@') && !/^(?:export )?class /m.test(example);
  const text = /^(?:export|@)/m.test(example) ? example : `export async function run() {\n${example}\n}`;
  if (!isMember && ts.transpileModule(text, { reportDiagnostics: true }).diagnostics!.length === 0)
    return text;
  // Decorators alone are those of a handler.
  const member = example.endsWith('}') ? example : `${example}\nhandler() {}`;
  return `export class Example extends ExampleController {\n${member}\n}`;
}

/** The imports that the code of an example needs: of the package and of others. */
function importsOf(code: string, own: ReadonlyMap<string, string>): string {
  const words = new Set(code.match(/[A-Za-z_$][\w$]*/g));
  const lines = [
    ...own,
    ...Object.entries(IMPORTS).flatMap(([from, names]) => names.map(name => [name, from])),
  ]
    .filter(([name]) => words.has(name!.split(' ').at(-1)!))
    .map(([name, from]) => `import { ${name} } from '${from}';`);
  return [...lines, 'export {};'].join('\n');
}

function createProgram(
  names: readonly string[],
  virtual: ReadonlyMap<string, string>,
  old?: ts.Program,
): ts.Program {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), name => ts.sys.readFile(name)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config.compilerOptions,
      paths: Object.fromEntries([...ENTRIES].map(([path, name]) => [name, [path]])),
      // Examples declare what they do not use.
      noUnusedLocals: false,
      noUnusedParameters: false,
      isolatedModules: false,
      emitDecoratorMetadata: false,
    },
    ROOT,
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = name => virtual.has(name) || fileExists(name);
  host.readFile = name => virtual.get(name) ?? readFile(name);
  host.getSourceFile = (name, ...rest) => {
    const text = virtual.get(name);
    const known = old?.getSourceFile(name);
    return (
      known ?? (text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, rest[0]))
    );
  };
  return ts.createProgram([...names], options, host);
}

/** A program over the entry points, and a module for each example. */
export class ExampleProgram {
  readonly exports: readonly DocumentedExport[];
  readonly #program: ts.Program;
  readonly #paths = new Map<string, string>();

  /** @param files further files that exist for the compiler only, by their path; they are entry points too */
  constructor(files: Readonly<Record<string, string>> = {}) {
    const virtual = new Map(Object.entries(files));
    const entries = [...ENTRIES.keys(), ...virtual.keys()];
    const plain = createProgram(entries, virtual);
    const exports = entries.flatMap(entry =>
      readExports(plain, entry).map(each => ({
        ...each,
        from: ENTRIES.get(entry) ?? entry.replace(/\.ts$/, '.js'),
      })),
    );
    this.exports = exports;
    const own = new Map(exports.map(({ name, from }) => [name, from]));
    for (const { name, examples } of exports) {
      for (const example of examples) {
        const path = join(ROOT, `examples/${this.#paths.size}-${name}.ts`);
        this.#paths.set(path, name);
        const code = surround(example);
        virtual.set(
          path,
          `${importsOf(code, own)}
${code}
`,
        );
      }
    }
    this.#program = createProgram([PRELUDE, ...this.#paths.keys()], virtual, plain);
  }

  /** What the compiler says of the examples, by the name of the export. */
  problems(): string[] {
    return [...this.#paths].flatMap(([path, name]) => {
      const file = this.#program.getSourceFile(path);
      const syntax = this.#program.getSyntacticDiagnostics(file);
      const problems = syntax.length > 0 ? syntax : this.#program.getSemanticDiagnostics(file);
      return problems.map(
        ({ messageText }) => `${name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      );
    });
  }
}
