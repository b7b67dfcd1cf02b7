/* docs/reference/events.md: every security event with its fields, from the docstrings of SecurityEventMap. */
import { code, prose } from './markdown.mjs';
import { docOf, textOf } from './source.mjs';

export function eventsPage(source) {
  const events = source
    .need('SecurityEventMap')
    .members.map(member =>
      [`## \`${member.name.text}\``, prose(docOf(member).text), fields(member.type)].join('\n\n'),
    );
  return { context: fields(source.need('EventContext')), events: events.join('\n\n') };
}

const fields = node =>
  node.members
    .map(member => {
      const optional = member.questionToken ? ', optional' : '';
      const { text } = docOf(member);
      const type = textOf(member.type).replace(/ \| undefined$/, '');
      return `- \`${member.name.getText()}\` (${code(type) ?? type}${optional})${text === '' ? '' : `: ${prose(text)}`}`;
    })
    .join('\n');
