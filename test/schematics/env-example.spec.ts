import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { addDependency } from '../../src/schematics/add-dependency.js';
import { addVariables, VARIABLES } from '../../src/schematics/env-example.js';

test('has the variables of the README, in its order', () => {
  const readme = readFileSync(resolve(__dirname, '../../README.md'), 'utf8');
  const block = readme.split('```ini title=.env\n')[1]!.split('```')[0]!;
  expect(VARIABLES.map(([name]) => name)).toEqual([...block.matchAll(/^(\w+)=/gm)].map(([, name]) => name));
});

test('a copy of it changes nothing: every variable is empty', () => {
  const variables = parseEnv(addVariables()!);
  expect(variables).toEqual(Object.fromEntries(VARIABLES.map(([name]) => [name, ''])));
});

const all = addVariables()!;
test.each([
  ['a new file', '', all],
  ['a file of the app', 'PORT=3000\n', `PORT=3000\n\n${all}`],
  ['a file without a last line break', 'PORT=3000', `PORT=3000\n\n${all}`],
  ['lines that end with CR LF', 'PORT=3000\r\n', `PORT=3000\r\n\r\n${all.replaceAll('\n', '\r\n')}`],
  [
    'all but one',
    all.replace('TRUST_PROXY', 'PROXY'),
    `${all.replace('TRUST_PROXY', 'PROXY')}\n# nestjs-agent-security\n${all.split('\n').slice(3, 5).join('\n')}\n`,
  ],
])('appends what is missing: %s', (_title, before, after) => {
  expect(addVariables(before)).toBe(after);
});

test.each([
  ['every variable', all],
  ['every variable as a comment', all.replace(/^([A-Z])/gm, '# $1')],
  ['every variable, exported', all.replace(/^([A-Z])/gm, 'export $1')],
])('leaves a file as it is that has %s', (_title, text) => {
  expect(addVariables(text)).toBeUndefined();
});

test.each([
  [
    'four spaces',
    '{\n    "name": "a"\n}',
    '{\n    "name": "a",\n    "dependencies": {\n        "nestjs-agent-security": "^0.1.0"\n    }\n}',
  ],
  [
    'tabs and CR LF',
    '{\r\n\t"name": "a"\r\n}\r\n',
    '{\r\n\t"name": "a",\r\n\t"dependencies": {\r\n\t\t"nestjs-agent-security": "^0.1.0"\r\n\t}\r\n}\r\n',
  ],
  ['a dependency', '{"dependencies":{"nestjs-agent-security":"1.0.0"}}', undefined],
  ['a development dependency', '{"devDependencies":{"nestjs-agent-security":"file:.."}}', undefined],
])('package.json with %s', (_title, before, after) => expect(addDependency(before)).toBe(after));
