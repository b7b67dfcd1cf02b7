/* Every regular expression of the package takes time in proportion to the text, whatever a client sends. No literal is exempt. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from 'recheck';
import ts from 'typescript';

const SRC = join(__dirname, '..', 'src');

interface Expression {
  readonly source: string;
  readonly flags: string;
}

/** Literals, and the places where an expression is made from text. */
function expressionsOf(file: string, text: string): { literals: Expression[]; made: string[] } {
  const literals: Expression[] = [];
  const made: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      literals.push({ source: node.text.slice(1, end), flags: node.text.slice(end + 1) });
    }
    const isCall = ts.isNewExpression(node) || ts.isCallExpression(node);
    if (isCall && ts.isIdentifier(node.expression) && node.expression.text === 'RegExp') made.push(file);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return { literals, made };
}

/**
 * An expression as the automaton of the checker takes it, and no faster than the original:
 * - Counts are taken away, since the checker unrolls them. "8 or more" becomes "1 or more", and so does a bound above 8.
 * - `(?<![…])` becomes a character that it must then consume.
 * - Other assertions are left out and checked by themselves, as they run at one place.
 * - A sticky expression is tried at one place only.
 */
function simplify({ source, flags }: Expression): Expression[] {
  const inner: string[] = [];
  const isSticky = flags.includes('y');
  const main = withoutAssertions(source, inner);
  const plain = [isSticky ? `^(?:${main})` : main, ...inner.map(each => `^(?:${each})`)];
  return plain.map(each => ({ source: withoutCounts(each), flags: flags.replace(/[gy]/g, '') }));
}

function withoutCounts(source: string): string {
  return source.replace(/(?<!\\)\{(\d+)(,?)(\d*)\}/g, (_count, min: string, comma: string, max: string) => {
    if (comma === '') return `{${Math.min(Number(min), 2)}}`;
    if (max !== '' && Number(max) <= 8) return `{${min},${max}}`;
    return min === '0' ? '*' : '+';
  });
}

function withoutAssertions(source: string, inner: string[]): string {
  let text = '';
  for (let index = 0; index < source.length;) {
    const end = endOfAtom(source, index);
    const assertion = /^\(\?(<?[=!])/.exec(source.slice(index));
    if (assertion === null) {
      text += source.slice(index, end);
      index = end;
      continue;
    }
    const close = endOfGroup(source, index);
    const body = source.slice(index + assertion[0].length, close - 1);
    const negated = /^\[(\^?)((?:[^\]\\]|\\.)*)\]$/.exec(body);
    if (assertion[1] === '<!' && negated !== null)
      text += `(?:^|[${negated[1] === '' ? '^' : ''}${negated[2]}])`;
    else inner.push(withoutAssertions(body, inner));
    index = close;
  }
  return text;
}

/** Behind an escape or a class; behind one character of everything else. */
function endOfAtom(source: string, index: number): number {
  if (source[index] === '\\') return index + 2;
  if (source[index] !== '[') return index + 1;
  let end = index + 1;
  while (source[end] !== ']') end += source[end] === '\\' ? 2 : 1;
  return end + 1;
}

function endOfGroup(source: string, index: number): number {
  let depth = 0;
  for (let end = index; end < source.length; end = endOfAtom(source, end)) {
    if (source[end] === '(') depth++;
    else if (source[end] === ')' && --depth === 0) return end + 1;
  }
  throw new Error(`A group of ${source} does not end`);
}

async function faultsOf(expression: Expression): Promise<string[]> {
  const faults: string[] = [];
  for (const { source, flags } of simplify(expression)) {
    const result = await check(source, flags, { checker: 'automaton', timeout: 60_000 });
    if (result.status === 'vulnerable') faults.push(`${result.complexity.summary}: ${result.attack.pattern}`);
    else if (result.status === 'unknown') faults.push(`unknown (${result.error.kind}): ${source}`);
  }
  return faults;
}

const found = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => expressionsOf(name, readFileSync(join(SRC, name), 'utf8')));
const literals = new Map(
  found.flatMap(each => each.literals).map(each => [`/${each.source}/${each.flags}`, each]),
);

it('finds the expressions of the sources', () => expect(literals.size).toBeGreaterThan(100));

it('makes no expression from text, but for those that the app gives in its options', () => {
  expect(found.flatMap(({ made }) => made).toSorted()).toEqual([
    join('audit', 'audit.options.ts'),
    join('mcp', 'mcp-path.ts'),
    join('request-id', 'request-id.options.ts'),
  ]);
});

it.each([...literals])(
  '%s is linear',
  async (_title, each) => expect(await faultsOf(each)).toEqual([]),
  90_000,
);

// What the check must find.
it.each([
  ['an attempt at each of many places that reads to the end', /\beyJ[\w-]{8,}\.[\w-]{8,}/],
  ['neighbours that take the same characters', /^(bearer|dpop)(?:[ \t]+(.*))?$/i],
  ['a repetition within a repetition', /^(?:a+)+$/],
  ['a repetition within a lookahead', /x(?=(?:a+)+$)/],
  ['a bound that is too large to be one', /a{0,4096}b/],
])('finds %s', async (_title, { source, flags }) => {
  expect((await faultsOf({ source, flags })).join()).toMatch(/polynomial|exponential/);
});
