/* Edits that remove statements with their lines, and members of lists with their commas. */
import type ts from 'typescript';
import type { Edit, Source } from './source.js';

/** The list that a node is a member of. A statement is in none. */
function listAround({ compiler: ts }: Source, node: ts.Node): ts.NodeArray<ts.Node> | undefined {
  const { parent } = node;
  if (ts.isArrayLiteralExpression(parent) || ts.isNamedImports(parent)) return parent.elements;
  if (ts.isObjectLiteralExpression(parent)) return parent.properties;
  return ts.isCallExpression(parent) ? parent.arguments : undefined;
}

export function removeNodes(source: Source, nodes: readonly ts.Node[]): Edit[] {
  const lists = new Map<ts.NodeArray<ts.Node>, Set<ts.Node>>();
  const edits: Edit[] = [];
  for (const node of nodes) {
    const list = listAround(source, node);
    if (list) lists.set(list, (lists.get(list) ?? new Set()).add(node));
    else edits.push(removeLines(source, node));
  }
  return [...edits, ...[...lists].flatMap(([list, removed]) => removeMembers(source, list, removed))];
}

function removeLines(source: Source, node: ts.Node): Edit {
  const { text } = source;
  const indent = source.indentOf(node);
  if (indent === undefined) return { start: source.startOf(node), end: node.end, text: '' };
  const start = source.startOf(node) - indent.length;
  const [rest] = /^[ \t]*(?:\/\/[^\r\n]*)?(?:\r?\n|$)/.exec(text.slice(node.end)) ?? [''];
  const end = node.end + rest.length;
  // One of two blank lines that would meet.
  const isBetweenBlanks = /(?:^|\n)\r?\n$/.test(text.slice(0, start)) && /^\r?\n/.test(text.slice(end));
  return { start, end: isBetweenBlanks ? text.indexOf('\n', end) + 1 : end, text: '' };
}

function removeMembers(source: Source, list: ts.NodeArray<ts.Node>, removed: ReadonlySet<ts.Node>): Edit[] {
  const { text } = source;
  const lastKept = list.findLastIndex(node => !removed.has(node));
  if (lastKept < 0) return [{ start: list.pos, end: list.end, text: '' }];
  const edits = list.slice(0, lastKept).flatMap((node, index) => {
    if (!removed.has(node)) return [];
    const isOfOwnLine = source.indentOf(node) !== undefined;
    // A comment on the line of the member before stays.
    const lineBreak = text.slice(0, source.startOf(node)).search(/\r?\n[ \t]*$/);
    const start = isOfOwnLine ? lineBreak : source.startOf(node);
    return [{ start, end: isOfOwnLine ? list[index + 1]!.pos : source.startOf(list[index + 1]!), text: '' }];
  });
  if (lastKept === list.length - 1) return edits;
  return [...edits, { start: list[lastKept]!.end, end: list.at(-1)!.end, text: '' }];
}
