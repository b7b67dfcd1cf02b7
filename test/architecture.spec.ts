import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import ts from 'typescript';

const SRC = join(__dirname, '..', 'src');

interface Import {
  readonly from: string;
  /** Relative to `src` (`common/problem.ts`), or a package's name. */
  readonly to: string;
  readonly local: boolean;
  readonly typeOnly: boolean;
  /** An `import()`. */
  readonly lazy: boolean;
}

function sources(): ReadonlyMap<string, string> {
  const files = readdirSync(SRC, { recursive: true, withFileTypes: true }).filter(
    entry => entry.isFile() && entry.name.endsWith('.ts'),
  );
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [relative(SRC, path).split(sep).join('/'), readFileSync(path, 'utf8')];
    }),
  );
}

/** Every import and re-export of a file, as the compiler reads it. */
function importsOf(file: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean, lazy = false): void => {
    const local = specifier.startsWith('.');
    const to = local
      ? posix.normalize(posix.join(dirname(file), specifier)).replace(/\.js$/, '.ts')
      : specifier;
    found.push({ from: file, to, local, typeOnly, lazy });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      const elements = named && ts.isNamedImports(named) ? named.elements : undefined;
      const typeOnly =
        clause !== undefined &&
        (clause.isTypeOnly ||
          (clause.name === undefined &&
            elements !== undefined &&
            elements.length > 0 &&
            elements.every(each => each.isTypeOnly)));
      add(node.moduleSpecifier.text, typeOnly);
    } else if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      const named = node.exportClause;
      const elements = named && ts.isNamedExports(named) ? named.elements : undefined;
      add(
        node.moduleSpecifier.text,
        node.isTypeOnly || (elements !== undefined && elements.every(each => each.isTypeOnly)),
      );
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      add(specifier && ts.isStringLiteral(specifier) ? specifier.text : '(computed)', false, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');

/** Files that import Nest at run time: everything else in `common/` and in a feature's folder is pure. */
const BINDINGS =
  /\.(?:feature|providers|guard|interceptor|filter|decorator|exception|pipe)\.ts$|^(?:rate-limit\/(?:rate-limiter|quota-throttler-storage)|auth\/(?:route-accesses|openapi-describer|gateways)|http\/route-mount|time\/server-connections|validation\/strict-validation)\.ts$/;
const WIRING = new Set(['', 'edge']);
/** Below every feature: they import `common` and one another, and no feature. */
const SHARED = new Set(['events', 'http', 'limiter', 'identity']);
const isPure = (file: string): boolean => !WIRING.has(folderOf(file)) && !BINDINGS.test(file);

type Rule = (each: Import) => boolean;
const rules: [title: string, breaks: Rule][] = [
  [
    'a pure file imports no Nest package at run time',
    ({ from, to, local, typeOnly }) => isPure(from) && !local && !typeOnly && to.startsWith('@nestjs/'),
  ],
  [
    'a pure file imports no binding at run time',
    ({ from, to, local, typeOnly }) => isPure(from) && local && !typeOnly && !isPure(to),
  ],
  [
    'a feature imports no other feature’s binding',
    ({ from, to, local }) => {
      const [own, other] = [folderOf(from), folderOf(to)];
      return (
        local &&
        !WIRING.has(own) &&
        !WIRING.has(other) &&
        own !== other &&
        other !== 'common' &&
        !SHARED.has(other) &&
        BINDINGS.test(to)
      );
    },
  ],
  [
    'common imports no feature',
    ({ from, to, local }) => local && folderOf(from) === 'common' && folderOf(to) !== 'common',
  ],
  [
    'a feature imports neither the edge nor the root',
    ({ from, to, local }) => local && !WIRING.has(folderOf(from)) && WIRING.has(folderOf(to)),
  ],
  [
    'what features share imports no feature',
    ({ from, to, local }) =>
      local && SHARED.has(folderOf(from)) && folderOf(to) !== 'common' && !SHARED.has(folderOf(to)),
  ],
  ['nothing imports index', ({ to, local }) => local && to === 'index.ts'],
  [
    'nothing loads the CommonJS package @nestjs/throttler, which requires Nest, while the modules of Nest load',
    ({ to, typeOnly, lazy }) => to === '@nestjs/throttler' && !typeOnly && !lazy,
  ],
];

/** Files that name features: the lists, the types of the options, and the exports. */
const NAME_FEATURES = new Set(['features.ts', 'agent-security.options.ts', 'index.ts']);

/** Files of the root that import more than one feature, beside those that may. */
function knowsFeatures(imports: readonly Import[]): readonly string[] {
  const known = new Map<string, Set<string>>();
  for (const { from, to, local } of imports) {
    if (!local || folderOf(from) !== '' || NAME_FEATURES.has(from)) continue;
    const folder = folderOf(to);
    if (folder === 'common' || WIRING.has(folder) || SHARED.has(folder)) continue;
    known.set(from, (known.get(from) ?? new Set()).add(folder));
  }
  return [...known].filter(([, folders]) => folders.size > 1).map(([from]) => from);
}

const broken = (imports: readonly Import[], breaks: Rule): string[] =>
  imports.filter(breaks).map(({ from, to }) => `${from} imports ${to}`);

/** The first cycle of files that import one another at run time. */
function findCycle(imports: readonly Import[]): readonly string[] {
  const next = new Map<string, string[]>();
  for (const { from, to, local, typeOnly } of imports) {
    if (local && !typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const to of next.get(file) ?? []) {
      const cycle = walk(to, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of next.keys()) {
    const cycle = walk(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** Imports between folders as imports between files, types included. A file of the root counts as a folder of its own. */
function betweenFolders(imports: readonly Import[]): readonly Import[] {
  const unitOf = (file: string): string => folderOf(file) || file;
  return imports
    .filter(({ from, to, local }) => local && unitOf(from) !== unitOf(to))
    .map(({ from, to, local }) => ({
      from: unitOf(from),
      to: unitOf(to),
      local,
      typeOnly: false,
      lazy: false,
    }));
}

const MAX_LINES = 300;

function tooLong(files: ReadonlyMap<string, string>): readonly string[] {
  return [...files].filter(([, text]) => text.trimEnd().split('\n').length > MAX_LINES).map(([file]) => file);
}

describe('the size of files', () => {
  it(`is at most ${MAX_LINES} lines`, () => expect(tooLong(sources())).toEqual([]));

  it('finds a planted file that is too long', () => {
    const planted = new Map([
      ['common/long.ts', 'line\n'.repeat(MAX_LINES + 1)],
      ['common/full.ts', 'line\n'.repeat(MAX_LINES)],
    ]);
    expect(tooLong(planted)).toEqual(['common/long.ts']);
  });
});

describe('the direction of imports', () => {
  const files = sources();
  const imports = [...files].flatMap(([file, text]) => importsOf(file, text));

  it('is read from the whole tree', () => {
    expect(files.size).toBeGreaterThan(50);
    const missing = imports.filter(({ to, local }) => local && !files.has(to));
    expect(missing).toEqual([]);
    expect(imports.filter(({ from }) => isPure(from)).length).toBeGreaterThan(50);
  });

  it.each(rules)('%s', (_title, breaks) => expect(broken(imports, breaks)).toEqual([]));

  it('lets only features.ts name more than one feature', () => {
    expect(knowsFeatures(imports)).toEqual([]);
    const planted = importsOf('agent-security.module.ts', "import './auth/a.js'; import './mcp/b.js';");
    expect(knowsFeatures(planted)).toEqual(['agent-security.module.ts']);
  });

  it('has no cycle', () => expect(findCycle(imports)).toEqual([]));

  it('has no cycle between folders', () => expect(findCycle(betweenFolders(imports))).toEqual([]));

  /** What each rule must find in a file that breaks it. */
  const planted: [rule: string, file: string, text: string][] = [
    [rules[0]![0], 'host/check-host.ts', "import { Logger } from '@nestjs/common';"],
    [rules[0]![0], 'host/check-host.ts', "import { type Type, Logger } from '@nestjs/common';"],
    [rules[0]![0], 'common/clock.ts', "export { Logger } from '@nestjs/common';"],
    [rules[0]![0], 'common/clock.ts', "const nest = () => import('@nestjs/core');"],
    [rules[1]![0], 'host/check-host.ts', "import { HostGuard } from './host.guard.js';"],
    [rules[1]![0], 'http/response-headers.ts', "import { ProblemException } from './problem.exception.js';"],
    [
      rules[2]![0],
      'host/host.guard.ts',
      "import { RateLimitGuard } from '../rate-limit/rate-limit.guard.js';",
    ],
    [
      rules[2]![0],
      'cors/decide-cors.ts',
      "import type { RateLimiter } from '../rate-limit/rate-limiter.js';",
    ],
    [rules[3]![0], 'common/authority.ts', "import { readOrigin } from '../cors/origin.js';"],
    [rules[4]![0], 'cors/origin.ts', "import { Edge } from '../edge/edge.js';"],
    [rules[4]![0], 'cors/origin.ts', "import type { ResolvedOptions } from '../resolve-options.js';"],
    [rules[5]![0], 'limiter/policy.ts', "import type { LimitRule } from '../rate-limit/limit-rule.js';"],
    [rules[6]![0], 'edge/edge.ts', "import { CLOCK } from '../index.js';"],
    [rules[7]![0], 'rate-limit/a.guard.ts', "import { ThrottlerGuard } from '@nestjs/throttler';"],
  ];
  it.each(planted)('finds a planted violation: %s (%s)', (rule, file, text) => {
    const breaks = rules.find(([title]) => title === rule)![1];
    expect(broken(importsOf(file, text), breaks)).toHaveLength(1);
  });

  it('allows types of Nest in pure files', () => {
    const text = "import type { Type } from '@nestjs/common';\nimport { type Logger } from '@nestjs/common';";
    expect(broken(importsOf('host/check-host.ts', text), rules[0]![1])).toEqual([]);
  });

  it('finds a planted cycle', () => {
    const cycle = [
      ...importsOf('common/a.ts', "import { b } from './b.js';"),
      ...importsOf('common/b.ts', "export { a } from './a.js';"),
    ];
    expect(findCycle([...imports, ...cycle])).toEqual(['common/a.ts', 'common/b.ts', 'common/a.ts']);
  });

  it('finds a planted cycle between folders', () => {
    const cycle = importsOf(
      'host/check-host.ts',
      "import type { ToolPolicy } from '../tools/tool-policy.js';",
    );
    const back = importsOf('tools/tool.ts', "import { checkHost } from '../host/check-host.js';");
    const found = findCycle(betweenFolders([...cycle, ...back]));
    expect(found).toEqual(['host', 'tools', 'host']);
  });
});
