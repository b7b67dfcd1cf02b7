/* Reads src as syntax trees: declarations by name, and their docstrings. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** The tags that a docstring may have. Other words after an `@`, such as `@RateLimit()`, are text. */
const TAG = /(?:^|\s)@(default|see|throws|example|param|returns|client|operator)\b[ \t]*/;

/**
 * @typedef {object} Doc
 * @property {string} text the description, paragraphs separated by a blank line
 * @property {Record<string, string[]>} tags the texts of each tag, by its name
 */

/** @returns {Doc} the description and the tags of the text between the comment's delimiters */
export function parseDoc(comment) {
  const body = comment
    .replace(/^\/\*\*/, '')
    .replace(/\*\/$/, '')
    .split('\n')
    .map(line => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();
  const [text, ...rest] = body.split(TAG);
  const tags = {};
  for (let i = 0; i < rest.length; i += 2) (tags[rest[i]] ??= []).push(rest[i + 1].trim());
  return { text: text.trim(), tags };
}

/** @returns {Doc} the docstring in front of a node, or an empty one */
export function docOf(node) {
  const source = node.getSourceFile().text;
  const comments = (ts.getLeadingCommentRanges(source, node.getFullStart()) ?? [])
    .map(({ pos, end }) => source.slice(pos, end))
    .filter(comment => comment.startsWith('/**'));
  return parseDoc(comments.at(-1) ?? '/** */');
}

/** The source text of a node on one line. */
export const textOf = node =>
  node
    .getText()
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .trim();

/** Every source file, and the declarations of all of them by name. */
export class Source {
  /** @param {string} root the repository's folder */
  constructor(root) {
    const folder = join(root, 'src');
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    this.files = new Map(
      names
        .filter(name => name.endsWith('.ts'))
        .toSorted()
        .map(name => {
          const text = readFileSync(join(folder, name), 'utf8');
          return [name.replaceAll('\\', '/'), ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true)];
        }),
    );
    this.declarations = new Map();
    for (const file of this.files.values()) {
      for (const statement of file.statements) {
        for (const declaration of declarationsOf(statement)) {
          const name = declaration.name.getText();
          this.declarations.set(name, [...(this.declarations.get(name) ?? []), declaration]);
        }
      }
    }
  }

  /** The declaration of a name, one of the same file if there are several. */
  find(name, from) {
    const all = this.declarations.get(name) ?? [];
    return all.find(node => from !== undefined && node.getSourceFile() === from.getSourceFile()) ?? all[0];
  }

  /** The declaration of a name that the reference cannot do without. */
  need(name) {
    const found = this.find(name);
    if (found === undefined) throw new Error(`src declares no ${name}, which the reference is made from.`);
    return found;
  }

  /** Names that a file exports from others: `{ name, from }`. */
  exportsOf(file) {
    return (this.files.get(file)?.statements ?? [])
      .filter(
        node => ts.isExportDeclaration(node) && node.exportClause && ts.isNamedExports(node.exportClause),
      )
      .flatMap(node =>
        node.exportClause.elements.map(({ name }) => ({ name: name.text, from: node.moduleSpecifier.text })),
      );
  }
}

function declarationsOf(statement) {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations;
  const named =
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement);
  return named && statement.name ? [statement] : [];
}

/** The docstring of a declaration; that of a variable stands in front of its statement. */
export const docOfDeclaration = node => docOf(ts.isVariableDeclaration(node) ? node.parent.parent : node);

export const isExported = node =>
  ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
