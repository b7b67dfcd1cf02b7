/* Writes Markdown from docstrings. */

/** A page of docs/ that a docstring names becomes a link: `docs/mcp.md#paths`. */
const PAGE = /(?<![\w/[(`])docs\/([\w-]+\/)?([\w-]+)\.md(#[\w-]+)?/g;

/** A docstring's text, as it stands on a page of docs/reference. */
export const prose = text =>
  text.replace(/\{@link (\w+)\}/g, '`$1`').replace(PAGE, (_page, folder = '', name, anchor = '') => {
    const path = folder === 'reference/' ? '' : `../${folder}`;
    return `[${name}.md](${path}${name}.md${anchor})`;
  });

/** A value that code could hold is printed as code, and so is the value in front of a remark in parentheses or behind a colon. */
export function value(text) {
  const literal = /^(?:(?:'[^']*'|\[.*\]|true|false)(?=$|[ :,;(])|-?[\d_.,]*\d(?=$|[:;]| \())/.exec(
    text,
  )?.[0];
  if (literal === undefined) return prose(text);
  return `\`${literal}\`${prose(text.slice(literal.length))}`;
}

/** Words on lines of at most `width` characters. */
export function wrap(text, width = 110) {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line !== '' && line.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}

export const fence = (language, text) => `\`\`\`${language}\n${text}\n\`\`\``;

/** Code in the text, or a block of its own where it would not fit on a line. */
export const code = text => (text.length <= 90 ? `\`${text}\`` : undefined);
