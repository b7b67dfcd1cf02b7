/* docs/reference/options.md: every option, from the docstrings of the option interfaces. */
import ts from 'typescript';
import { code, fence, prose, value, wrap } from './markdown.mjs';
import { docOf, docOfDeclaration, isExported, textOf } from './source.mjs';

const ENVIRONMENT =
  /\s*\(?[Ee]nvironment(?: variables?)?:\s+((?:`[A-Z_]+`(?:,\s+|\s+and\s+|\s+or\s+)?)+)[^.)]*[.)]?/;

/** @returns `{ options, others, variables }`: the sections, and a table of the environment variables */
export function optionsPage(source) {
  const root = source.need('AgentSecurityOptions');
  const uses = countUses(source, root);
  const shared = new Set([...uses].filter(([, count]) => count > 1).map(([name]) => name));
  for (const name of exportedOptions(source))
    if (!uses.has(name) || isOfDecorator(source, name)) shared.add(name);
  // What a feature itself takes stands under the feature.
  for (const inner of root.members.flatMap(member => optionTypes(source, member)))
    shared.delete(inner.name.text);
  const variables = [];
  const context = { source, shared, variables };
  const options = sections(context, root, '', '##');
  const others = [...shared].toSorted().map(name => {
    const node = source.need(name);
    const text = prose(docOfDeclaration(node).text);
    return [`### \`${name}\``, text, sections(context, node, `${name}.`, '####')]
      .filter(Boolean)
      .join('\n\n');
  });
  const rows = variables
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([variable, path]) => `| \`${variable}\` | [\`${path}\`](#${slug(path)}) |`);
  return {
    options,
    others: others.join('\n\n'),
    variables: ['| variable | option |', '| --- | --- |', ...rows].join('\n'),
  };
}

const slug = path => path.toLowerCase().replace(/[^\w-]/g, '');

const isOptions = node => ts.isInterfaceDeclaration(node) && /(?:Options|RouteTimeout)$/.test(node.name.text);

/** Option interfaces of the package's entry points. */
function exportedOptions(source) {
  return ['index.ts', 'redis/index.ts']
    .flatMap(file => source.exportsOf(file))
    .map(({ name }) => name)
    .filter(
      name =>
        source.find(name) !== undefined && isOptions(source.find(name)) && !name.startsWith('AgentSecurity'),
    );
}

/** Whether a decorator takes the interface as well. */
const isOfDecorator = (source, name) =>
  [...source.files].some(
    ([file, { text }]) => file.endsWith('.decorator.ts') && new RegExp(`\\b${name}\\b`).test(text),
  );

/** How often each option interface is reached from the module's options. */
function countUses(source, root) {
  const uses = new Map();
  const visit = node => {
    for (const member of node.members) {
      for (const inner of optionTypes(source, member)) {
        const name = inner.name.text;
        uses.set(name, (uses.get(name) ?? 0) + 1);
        if (uses.get(name) === 1) visit(inner);
      }
    }
  };
  visit(root);
  return uses;
}

/** The option interfaces that the type of a member names, directly or by an alias. */
function optionTypes(source, member, seen = new Set()) {
  const found = [];
  const visit = node => {
    if (ts.isTypeReferenceNode(node)) {
      const target = source.find(node.typeName.getText(), node);
      if (target && !seen.has(target)) {
        seen.add(target);
        if (isOptions(target)) found.push(target);
        else if (ts.isTypeAliasDeclaration(target)) visit(target.type);
      }
    }
    node.forEachChild(visit);
  };
  if (member.type) visit(member.type);
  return found;
}

function sections(context, node, prefix, level) {
  const parts = [];
  for (const member of node.members) {
    if (!ts.isPropertySignature(member)) continue;
    const path = prefix + member.name.getText();
    parts.push(section(context, member, path, level));
    for (const inner of optionTypes(context.source, member)) {
      if (context.shared.has(inner.name.text)) continue;
      // Its own docstring would repeat the member's.
      parts.push(sections(context, inner, `${path}.`, `${level}#`));
    }
  }
  return parts.join('\n\n');
}

function section({ source, shared, variables }, member, path, level) {
  const doc = docOf(member);
  let text = doc.text;
  let standard = doc.tags.default?.[0];
  const names = [];
  for (const part of [text, standard ?? '']) {
    for (const [, list] of part.matchAll(new RegExp(ENVIRONMENT, 'g')))
      names.push(...[...list.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name));
  }
  text = text.replace(ENVIRONMENT, '').trim();
  standard = standard?.replace(ENVIRONMENT, '').trim();
  // A feature's own entry sums up the variables of its options, which list them again.
  const sumsUp = optionTypes(source, member).some(({ name }) => !shared.has(name.text));
  for (const name of names) if (!sumsUp) variables.push([name, path]);
  const type = typeText(source, member);
  const required = member.questionToken === undefined;
  const facts = [
    code(type) && `- **Type:** ${code(type)}`,
    required ? '- **Required.**' : undefined,
    standard === undefined || standard === '' ? undefined : `- **Default:** ${value(standard)}`,
    names.length === 0 ? undefined : `- **Environment:** ${names.map(name => `\`${name}\``).join(', ')}`,
    ...(doc.tags.see ?? []).map(see => `- **See:** ${prose(see)}`),
    ...optionTypes(source, member)
      .filter(({ name }) => shared.has(name.text))
      .map(({ name }) => `- **Object:** [\`${name.text}\`](#${slug(name.text)})`),
  ];
  const block = code(type) ? undefined : fence('ts', wrap(type));
  return [`${level} \`${path}\``, prose(text), facts.filter(Boolean).join('\n'), block, ...examples(doc)]
    .filter(Boolean)
    .join('\n\n');
}

const examples = doc => (doc.tags.example ?? []).map(example => fence('ts', example));

/** A member's type as it is written, with the aliases that users cannot import spelled out. */
function typeText(source, member) {
  let text = textOf(member.type);
  for (const [name] of text.matchAll(/\b[A-Z]\w+\b/g)) {
    const target = source.find(name, member);
    if (target && ts.isTypeAliasDeclaration(target) && !isExported(target) && !target.typeParameters)
      text = text.replace(new RegExp(`\\b${name}\\b`), textOf(target.type).replace(/^\| /, ''));
  }
  return text.replace(/^\| /, '');
}
