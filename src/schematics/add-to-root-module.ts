/* Adds `AgentSecurityModule.forRoot()` to the imports of the root module. */
import type ts from 'typescript';
import { importBindings } from './import-bindings.js';
import { listOf, moduleMetadata } from './module-metadata.js';
import type { Edit, Source } from './source.js';

export const PACKAGE = 'nestjs-agent-security';
const NAME = 'AgentSecurityModule';
const ELEMENT = `${NAME}.forRoot()`;

export type AddResult = { readonly text: string } | { readonly unsure: string };

/** Whether a file configures the module: a second `forRoot()` stops the start-up. */
export const configuresModule = (source: Source): boolean =>
  source.references(NAME).some(({ parent }) => {
    const { isPropertyAccessExpression } = source.compiler;
    return isPropertyAccessExpression(parent) && /^forRoot(?:Async)?$/.test(parent.name.text);
  });

export function addToRootModule(source: Source, className?: string): AddResult {
  if (source.hasSyntaxErrors) return { unsure: 'it has syntax errors' };
  const metadata = moduleMetadata(source, className);
  if (typeof metadata === 'string') return { unsure: metadata };
  const list = listOf(source, metadata, 'imports');
  if (typeof list === 'string') return { unsure: list };
  const imported = importBindings(source).find(({ local }) => local === NAME);
  const isOurs = imported?.from === PACKAGE && imported.imported === NAME && !imported.isType;
  if (!isOurs && source.references(NAME).length > 0) return { unsure: `it has another ${NAME}` };
  if (list?.elements.some(element => element.getText() === NAME))
    return { unsure: `it imports ${NAME} without forRoot()` };

  const edits = [list ? appendElement(source, list) : addProperty(source, metadata)];
  if (!isOurs) edits.push(addImport(source));
  const text = source.apply(edits);
  return text === undefined ? { unsure: 'the edit would not parse' } : { text };
}

const insert = (at: number, text: string): Edit => ({ start: at, end: at, text });

function appendElement(source: Source, list: ts.ArrayLiteralExpression): Edit {
  const last = list.elements.at(-1);
  if (!last) {
    const start = source.startOf(list) + 1;
    const isBlank = source.text.slice(start, list.end - 1).trim() === '';
    return { start, end: isBlank ? list.end - 1 : start, text: ELEMENT };
  }
  const indent = source.indentOf(last);
  return insert(last.end, indent === undefined ? `, ${ELEMENT}` : `,${source.eol}${indent}${ELEMENT}`);
}

function addProperty(source: Source, metadata: ts.ObjectLiteralExpression): Edit {
  const start = source.startOf(metadata) + 1;
  const [first] = metadata.properties;
  const property = `imports: [${ELEMENT}]`;
  if (!first && source.text.slice(start, metadata.end - 1).trim() === '')
    return { start, end: metadata.end - 1, text: ` ${property} ` };
  const indent = first && source.indentOf(first);
  return insert(start, indent === undefined ? ` ${property},` : `${source.eol}${indent}${property},`);
}

function addImport(source: Source): Edit {
  const { compiler: ts, text, eol, file } = source;
  const last = file.statements
    .filter(node => ts.isImportDeclaration(node) || ts.isImportEqualsDeclaration(node))
    .at(-1);
  const quote = last ? (/['"]/.exec(last.getText())?.[0] ?? "'") : "'";
  const semicolon = last && !last.getText().endsWith(';') ? '' : ';';
  const line = `import { ${NAME} } from ${quote}${PACKAGE}${quote}${semicolon}`;
  if (last) {
    // Behind a comment on the line of the last import.
    const [rest] = /^[ \t]*(?:\/\/[^\r\n]*)?(?=\r?\n|$)/.exec(text.slice(last.end)) ?? [''];
    return insert(last.end + rest.length, `${eol}${line}`);
  }
  const [prologue] = /^\uFEFF?(?:#![^\n]*\n)?(?:(?:'use strict'|"use strict");?[ \t]*\r?\n)?/.exec(text)!;
  return insert(prologue.length, `${line}${eol}`);
}
