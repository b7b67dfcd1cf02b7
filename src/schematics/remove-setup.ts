/* Removes what findSetup() found, where nothing else depends on it. */
import type ts from 'typescript';
import { findSetup, type Setup } from './find-setup.js';
import { type Binding, importBindings } from './import-bindings.js';
import { removeNodes } from './remove-nodes.js';
import type { Source } from './source.js';

export interface Removal {
  readonly text: string;
  readonly removed: readonly Setup[];
}

/** @param isThrottlerElsewhere whether other files need the providers of ThrottlerModule */
export function removeSetup(source: Source, isThrottlerElsewhere: boolean): Removal {
  const all = findSetup(source);
  const untouched = { text: source.text, removed: [] };
  if (source.hasSyntaxErrors) return untouched;
  // A guard without its module, or a module without its guard, would not start or not limit.
  const limits = all.filter(({ by }) => by === 'rateLimit');
  const keepsLimits = isThrottlerElsewhere || limits.some(({ isRemovable }) => !isRemovable);
  let removed = all.filter(setup => setup.isRemovable && !(keepsLimits && setup.by === 'rateLimit'));
  for (let before = -1; before !== removed.length;) {
    before = removed.length;
    const nodes = removed.map(({ node }) => node);
    removed = removed.filter(({ node }) => !leavesUnused(source, node, nodes));
    if (removed.filter(({ by }) => by === 'rateLimit').length < limits.length)
      removed = removed.filter(({ by }) => by !== 'rateLimit');
  }
  const nodes = removed.map(({ node }) => node);
  const imports = importBindings(source).filter(binding => isUnusedWithout(source, binding, nodes));
  const text = source.apply(
    removeNodes(source, [...nodes.map(orArgument), ...statementsOf(source, imports)]),
  );
  return text === undefined ? untouched : { text, removed };

  /** An object of options that would be empty goes as a whole. */
  function orArgument(node: ts.Node): ts.Node {
    const { compiler: ts } = source;
    const isAlone = ts.isObjectLiteralExpression(node.parent) && node.parent.properties.length === 1;
    return isAlone && ts.isCallExpression(node.parent.parent) ? node.parent : node;
  }
}

const isIn = (node: ts.Node, others: readonly ts.Node[]): boolean =>
  others.some(({ pos, end }) => pos <= node.pos && node.end <= end);

/** Whether a variable or parameter that a node uses would be declared and not used, which `noUnusedLocals` makes an error. */
function leavesUnused(source: Source, node: ts.Node, removed: readonly ts.Node[]): boolean {
  const { compiler: ts } = source;
  return source.references(undefined, node).some(({ text }) => {
    const rest = source.references(text).filter(other => !isIn(other, removed));
    const [only] = rest;
    if (!only || rest.length > 1) return false;
    const { parent } = only;
    return (
      (ts.isVariableDeclaration(parent) ||
        ts.isParameter(parent) ||
        ts.isBindingElement(parent) ||
        ts.isFunctionDeclaration(parent)) &&
      parent.name === only &&
      !importBindings(source).some(({ local }) => local === text)
    );
  });
}

function isUnusedWithout(source: Source, { local, node }: Binding, removed: readonly ts.Node[]): boolean {
  const uses = source.references(local).filter(use => !isIn(use, [node]));
  return uses.length > 0 && uses.every(use => isIn(use, removed));
}

/** Import specifiers; the whole statement where no name of it would be left. */
function statementsOf(source: Source, unused: readonly Binding[]): ts.Node[] {
  const { isImportDeclaration } = source.compiler;
  const statementOf = ({ node }: Binding): ts.Node =>
    source.compiler.isImportSpecifier(node) ? node.parent.parent.parent : node;
  const kept = importBindings(source).filter(({ local }) => unused.every(each => each.local !== local));
  const nodes = unused.flatMap(binding => {
    const statement = statementOf(binding);
    if (kept.every(each => statementOf(each) !== statement)) return [statement];
    // A default import beside others that are used stays: the statement cannot go.
    return isImportDeclaration(binding.node) ? [] : [binding.node];
  });
  return [...new Set(nodes)];
}
