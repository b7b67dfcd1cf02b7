/* docs/reference/decorators.md: every exported decorator, from its declaration and docstring. */
import { posix } from 'node:path';
import ts from 'typescript';
import { fence, prose } from './markdown.mjs';
import { docOfDeclaration, textOf } from './source.mjs';

export function decoratorsPage(source) {
  const entries = source
    .exportsOf('index.ts')
    .filter(({ from }) => from.endsWith('.decorator.js'))
    .map(({ name, from }) => {
      const file = source.files.get(posix.normalize(from).replace(/\.js$/, '.ts'));
      const node = source.declarations.get(name).find(each => each.getSourceFile() === file);
      return { name, node, ...readDecorator(node) };
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const list = isOfParameter =>
    entries
      .filter(entry => (entry.place === 'parameter') === isOfParameter)
      .map(section)
      .join('\n\n');
  return { routes: list(false), parameters: list(true) };
}

const PLACES = {
  parameter: 'a parameter of a handler',
  method: 'a handler',
  any: 'a controller or a handler',
};

function section({ name, node, parameters, place }) {
  const { text, tags } = docOfDeclaration(node);
  return [
    `### \`@${name}()\``,
    fence('ts', `@${name}(${parameters})`),
    prose(text),
    `- **Where:** ${PLACES[place]}`,
    ...(tags.throws ?? []).map(thrown => `- **Throws:** ${prose(thrown)}`),
    ...(tags.see ?? []).map(see => `- **See:** ${prose(see)}`),
  ]
    .join('\n\n')
    .replace(/\n\n- (?!\*\*Where)/g, '\n- ')
    .concat(...(tags.example ?? []).map(example => `\n\n${fence('ts', example)}`));
}

/** How a decorator is called, and where it stands. */
function readDecorator(node) {
  if (ts.isFunctionDeclaration(node))
    return { parameters: given(node.parameters), place: placeOf(node.type) };
  const call = node.initializer;
  if (call.expression?.getText().endsWith('createParamDecorator'))
    return { parameters: '', place: 'parameter' };
  if (call.expression.getText().endsWith('createDecorator'))
    return { parameters: `value: ${textOf(call.typeArguments[0])}`, place: 'any' };
  return { parameters: given(call.arguments[0].parameters), place: placeOf(node.type) };
}

/** `...given: [name?: type]`, which tells an argument `undefined` from none, is an optional parameter to its user. */
const given = parameters =>
  parameters
    .map(textOf)
    .join(', ')
    .replace(/\.\.\.given: \[(.*)\]$/, '$1');

function placeOf(type) {
  const text = type?.getText() ?? '';
  if (text.includes('ParameterDecorator')) return 'parameter';
  return text === 'MethodDecorator' ? 'method' : 'any';
}
