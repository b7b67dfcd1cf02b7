import ts from 'typescript';
import { addToRootModule } from '../../src/schematics/add-to-root-module.js';
import { Source } from '../../src/schematics/source.js';

const add = (text: string, className?: string) => addToRootModule(new Source(ts, text), className);

const NEST = "import { Module } from '@nestjs/common';\n";
const OURS = "import { AgentSecurityModule } from 'nestjs-agent-security';\n";
const CLASS = 'export class AppModule {}\n';

const added: [title: string, before: string, after: string][] = [
  [
    'the module of nest new',
    'imports: [],\n  controllers: [A],',
    'imports: [AgentSecurityModule.forRoot()],\n  controllers: [A],',
  ],
  ['an empty list over lines', 'imports: [\n  ],', 'imports: [AgentSecurityModule.forRoot()],'],
  [
    'an empty list with a comment',
    'imports: [/* none */],',
    'imports: [AgentSecurityModule.forRoot()/* none */],',
  ],
  [
    'a list on one line',
    'imports: [A, B.forRoot()],',
    'imports: [A, B.forRoot(), AgentSecurityModule.forRoot()],',
  ],
  [
    'a list over lines',
    'imports: [\n    A,\n    B\n  ],',
    'imports: [\n    A,\n    B,\n    AgentSecurityModule.forRoot()\n  ],',
  ],
  [
    'a list over lines with a last comma',
    'imports: [\n    A,\n    B,\n  ],',
    'imports: [\n    A,\n    B,\n    AgentSecurityModule.forRoot(),\n  ],',
  ],
  [
    'a comment behind the last element',
    'imports: [\n    A, // first\n  ],',
    'imports: [\n    A,\n    AgentSecurityModule.forRoot(), // first\n  ],',
  ],
  [
    'a last element over lines',
    'imports: [\n    A.forRoot({\n      b: 1,\n    }),\n  ],',
    'imports: [\n    A.forRoot({\n      b: 1,\n    }),\n    AgentSecurityModule.forRoot(),\n  ],',
  ],
  ['a spread in the list', 'imports: [...shared],', 'imports: [...shared, AgentSecurityModule.forRoot()],'],
  ['a quoted key', "'imports': [A],", "'imports': [A, AgentSecurityModule.forRoot()],"],
  ['no imports', 'controllers: [A],', 'imports: [AgentSecurityModule.forRoot()],\n  controllers: [A],'],
  [
    'no imports, a shorthand member',
    'controllers,',
    'imports: [AgentSecurityModule.forRoot()],\n  controllers,',
  ],
];

it.each(added)('adds the import to %s', (_title, before, after) => {
  expect(add(`${NEST}\n@Module({\n  ${before}\n})\n${CLASS}`)).toEqual({
    text: `${NEST}${OURS}\n@Module({\n  ${after}\n})\n${CLASS}`,
  });
});

const whole: [title: string, before: string, after: string][] = [
  [
    'an empty object',
    `${NEST}@Module({})\n${CLASS}`,
    `${NEST}${OURS}@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'an object on one line',
    `${NEST}@Module({ controllers: [A] })\n${CLASS}`,
    `${NEST}${OURS}@Module({ imports: [AgentSecurityModule.forRoot()], controllers: [A] })\n${CLASS}`,
  ],
  [
    'an object with a comment alone',
    `${NEST}@Module({\n  // nothing yet\n})\n${CLASS}`,
    `${NEST}${OURS}@Module({ imports: [AgentSecurityModule.forRoot()],\n  // nothing yet\n})\n${CLASS}`,
  ],
  [
    'another name of the decorator',
    `import { Module as Root } from '@nestjs/common';\n@Root({ imports: [] })\n${CLASS}`,
    `import { Module as Root } from '@nestjs/common';\n${OURS}@Root({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'a namespace of Nest',
    `import * as nest from '@nestjs/common';\n@nest.Module({ imports: [] })\n${CLASS}`,
    `import * as nest from '@nestjs/common';\n${OURS}@nest.Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'double quotes and no semicolons',
    `import { Module } from "@nestjs/common"\n@Module({ imports: [] })\n${CLASS}`,
    `import { Module } from "@nestjs/common"\nimport { AgentSecurityModule } from "nestjs-agent-security"\n@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'lines that end with CR LF',
    `${NEST}\n@Module({\n  imports: [\n    A,\n  ],\n})\n${CLASS}`.replaceAll('\n', '\r\n'),
    `${NEST}${OURS}\n@Module({\n  imports: [\n    A,\n    AgentSecurityModule.forRoot(),\n  ],\n})\n${CLASS}`.replaceAll(
      '\n',
      '\r\n',
    ),
  ],
  [
    'an import over lines, with a comment behind it',
    `import {\n  Module,\n} from '@nestjs/common'; // Nest\n\n@Module({ imports: [] })\n${CLASS}`,
    `import {\n  Module,\n} from '@nestjs/common'; // Nest\n${OURS}\n@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'an import of the name that is there already',
    `${NEST}import { AgentSecurityModule, RateLimit } from 'nestjs-agent-security';\n@Module({ imports: [] })\n${CLASS}`,
    `${NEST}import { AgentSecurityModule, RateLimit } from 'nestjs-agent-security';\n@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'a file without import statements',
    `'use strict';\n@Module({ imports: [] })\n${CLASS}`,
    `'use strict';\n${OURS}@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
  [
    'a file with a byte order mark',
    `\uFEFF@Module({ imports: [] })\n${CLASS}`,
    `\uFEFF${OURS}@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  ],
];
it.each(whole)('adds the import to a file with %s', (_title, before, after) => {
  expect(add(before)).toEqual({ text: after });
});

test('adds the import to the class that is named, of two modules', () => {
  const text = `${NEST}@Module({ imports: [] })\nclass Other {}\n@Module({ imports: [] })\n${CLASS}`;
  expect(add(text, 'AppModule')).toEqual({
    text: `${NEST}${OURS}@Module({ imports: [] })\nclass Other {}\n@Module({ imports: [AgentSecurityModule.forRoot()] })\n${CLASS}`,
  });
});

const unsure: [title: string, text: string, reason: RegExp][] = [
  ['a list of another file', '@Module({ imports: shared })', /imports are no list/],
  ['a list by its short name', '@Module({ imports })', /imports are no list/],
  ['a list that is computed', '@Module({ imports: [A].concat(B) })', /imports are no list/],
  ['two lists', '@Module({ imports: [], imports: [] })', /imports are no list/],
  ['a spread', '@Module({ ...base, controllers: [] })', /a spread/],
  ['metadata of another place', '@Module(metadata)', /no object literal/],
  ['no decorator', '', /no class, or more than one/],
  [
    'a class of the same name',
    'class AgentSecurityModule { a = AgentSecurityModule }\n@Module({})',
    /another AgentSecurityModule/,
  ],
  ['a syntax error', '@Module({ imports: [ })', /syntax errors/],
  ['the bare class', `${OURS}@Module({ imports: [AgentSecurityModule] })`, /without forRoot\(\)/],
];
it.each(unsure)('leaves a file with %s as it is, and says why', (_title, text, reason) => {
  expect(add(`${text}\n${CLASS}`)).toEqual({ unsure: expect.stringMatching(reason) });
});

test('an edit that would break the file gives no text', () => {
  const source = new Source(ts, 'const a = 1;\n');
  expect(source.apply([{ start: 10, end: 11, text: '(' }])).toBeUndefined();
  expect(source.apply([{ start: 10, end: 11, text: '2' }])).toBe('const a = 2;\n');
});
