/* One TypeScript file of the user's project, and edits of its text. Nothing is printed anew: what is not edited stays as it was written. */
import type ts from 'typescript';
import type { TypeScript } from './load-typescript.js';

export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export class Source {
  readonly file: ts.SourceFile;
  readonly eol: string;

  constructor(
    readonly compiler: TypeScript,
    readonly text: string,
  ) {
    this.file = compiler.createSourceFile('file.ts', text, compiler.ScriptTarget.Latest, true);
    this.eol = text.includes('\r\n') ? '\r\n' : '\n';
  }

  get hasSyntaxErrors(): boolean {
    const compilerOptions = { experimentalDecorators: true, target: this.compiler.ScriptTarget.Latest };
    const { diagnostics } = this.compiler.transpileModule(this.text, {
      reportDiagnostics: true,
      compilerOptions,
    });
    return diagnostics !== undefined && diagnostics.length > 0;
  }

  /** Every node of a kind, in the order of the text. */
  find<T extends ts.Node>(is: (node: ts.Node) => node is T, from: ts.Node = this.file): T[] {
    const found: T[] = [];
    const visit = (node: ts.Node): void => {
      if (is(node)) found.push(node);
      node.forEachChild(visit);
    };
    visit(from);
    return found;
  }

  /** The identifiers that may refer to a variable: without names of members. */
  references(name?: string, from: ts.Node = this.file): ts.Identifier[] {
    const { isIdentifier, isPropertyAccessExpression, isPropertyAssignment } = this.compiler;
    return this.find(isIdentifier, from).filter(node => {
      const { parent } = node;
      const isMember = isPropertyAccessExpression(parent) || isPropertyAssignment(parent);
      return (name === undefined || node.text === name) && !(isMember && parent.name === node);
    });
  }

  startOf(node: ts.Node): number {
    return node.getStart(this.file);
  }

  /** The white space before a node that is the first on its line. */
  indentOf(node: ts.Node): string | undefined {
    const start = this.startOf(node);
    const line = this.text.slice(this.text.lastIndexOf('\n', start - 1) + 1, start);
    return line.trim() === '' ? line : undefined;
  }

  lineOf(node: ts.Node): number {
    return this.file.getLineAndCharacterOfPosition(this.startOf(node)).line + 1;
  }

  /** The text after edits, or `undefined` where it would not parse. */
  apply(edits: readonly Edit[]): string | undefined {
    let { text } = this;
    for (const { start, end, text: replacement } of edits.toSorted(
      (a, b) => b.start - a.start || b.end - a.end,
    ))
      text = text.slice(0, start) + replacement + text.slice(end);
    return new Source(this.compiler, text).hasSyntaxErrors ? undefined : text;
  }
}
