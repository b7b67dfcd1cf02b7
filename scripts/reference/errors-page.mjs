/* docs/reference/errors.md: the codes of problems and of configuration errors, from the docstrings beside the codes. */
import { STATUS_CODES } from 'node:http';
import ts from 'typescript';
import { fence, prose, wrap } from './markdown.mjs';
import { docOf } from './source.mjs';

export function errorsPage(source) {
  return { problems: problems(source), configuration: configuration(source) };
}

function problems(source) {
  const members = source.need('ProblemCodes').members;
  checkProblemCodes(source, new Set(members.map(({ name }) => name.getText())));
  return members
    .map(member => {
      const { text, tags } = docOf(member);
      return [
        `### \`${member.name.getText()}\``,
        prose(text),
        [
          `- **Status:** ${member.type.getText()}`,
          ...(tags.client ?? []).map(remedy => `- **Client:** ${prose(remedy)}`),
          ...(tags.operator ?? []).map(remedy => `- **Operator:** ${prose(remedy)}`),
        ].join('\n'),
      ].join('\n\n');
    })
    .join('\n\n');
}

/** Each code that src answers with must be described, and no other. */
function checkProblemCodes(source, described) {
  const literals = new Set();
  const answered = new Set();
  const codes = node => {
    if (ts.isStringLiteral(node) && /^[a-z]+(?:_[a-z]+)+$/.test(node.text)) answered.add(node.text);
    if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(codes);
  };
  const visit = node => {
    if (ts.isStringLiteral(node)) literals.add(node.text);
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'code') codes(node.initializer);
    node.forEachChild(visit);
  };
  source.files.forEach(visit);
  const ofStatuses = new Set(
    Object.values(STATUS_CODES).map(name => name.toLowerCase().replace(/[^a-z]+/g, '_')),
  );
  const missing = [...answered].filter(code => !described.has(code) && !ofStatuses.has(code));
  const unused = [...described].filter(code => !literals.has(code) && !ofStatuses.has(code));
  if (missing.length > 0)
    throw new Error(`Describe in ProblemCodes (src/common/problem-codes.ts): ${missing.join(', ')}`);
  if (unused.length > 0)
    throw new Error(`Remove from ProblemCodes (src/common/problem-codes.ts): ${unused.join(', ')}`);
}

function configuration(source) {
  const list = source.need('CONFIG_ERROR_CODES').initializer;
  const { elements } = ts.isAsExpression(list) ? list.expression : list;
  return elements
    .map(element => {
      const { text, tags } = docOf(element);
      const messages = (tags.example ?? []).map(message => fence('text', wrap(message)));
      if (text === '' || messages.length === 0)
        throw new Error(
          `Give ${element.text} a meaning and an @example of its message, in a comment in front of it.`,
        );
      return [`### \`${element.text}\``, ...messages, prose(text)].join('\n\n');
    })
    .join('\n\n');
}
