/*
 * Writes llms.txt (https://llmstxt.org) from the sidebar of the site, the list of pages in the README and docs/reference:
 *   npm run reference                              writes docs/reference, then llms.txt
 *   node scripts/generate-llms.mjs --out FILE      writes it elsewhere
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({ options: { out: { type: 'string', default: join(ROOT, 'llms.txt') } } });
const read = file => readFileSync(join(ROOT, file), 'utf8').replaceAll('\r\n', '\n');

const README = read('README.md');
const flat = text => text.replace(/\s+/g, ' ').trim();
const withoutLinks = text => text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
/** The first sentence of a text in Markdown. A point inside of code or a name ends none. */
const sentence = text =>
  /^(?:`[^`]*`|[^`])*?[.:](?= |$)/.exec(flat(withoutLinks(text)))?.[0].replace(/[.:]$/, '') ?? flat(text);
/** The first paragraph that is neither a heading, a table, a comment nor code. */
const paragraph = page =>
  page
    .replace(/^```[^]*?^```$/gm, '')
    .split(/\n{2,}/)
    .find(block => /^[\w`@"(*[]/.test(block.trim()) && !block.startsWith('[//]')) ?? '';
const link = (text, target, note) => `- [${text}](${target}): ${note}`;
const slug = heading =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

/** What the README says about each page. */
const NOTES = new Map(
  [...README.split('\n## Documentation\n')[1].matchAll(/\[[^\]]+\]\(([\w./-]+)\): (.+)$/gm)].map(
    ([, path, note]) => [path, note],
  ),
);

function pageLink(name, route) {
  const file = route === '/' ? 'README.md' : `${route.slice(1)}.md`;
  if (!existsSync(join(ROOT, file))) throw new Error(`The sidebar names ${file}, which is not there.`);
  return link(name, file, NOTES.get(file) ?? sentence(paragraph(read(file))));
}

/** The groups of the sidebar. Pages about the project itself are those that llmstxt.org calls optional. */
const [, sidebar] = read('docs/.vitepress/config.mjs').split(/const SIDEBAR|\n\];/);
const groups = sidebar
  .split("text: '")
  .slice(1)
  .map(text => ({
    name: text.slice(0, text.indexOf("'")),
    links: [...text.matchAll(/page\('([^']+)', '([^']+)'\)/g)].map(([, name, route]) =>
      pageLink(name, route),
    ),
  }));

/** A line for each heading of a level, with the names of the headings below it. */
function headingLinks(file, level) {
  const mark = '#'.repeat(level);
  return read(file)
    .split(new RegExp(`^${mark} (?=\`)`, 'm'))
    .slice(1)
    .map(section => {
      const heading = section.slice(0, section.indexOf('\n'));
      const [own] = section.slice(heading.length).split(/^## /m);
      const members = [...own.matchAll(new RegExp(`^${mark}# \`\\w+\\.(\\w+)\`$`, 'gm'))].map(
        ([, name]) => name,
      );
      const list = members.length === 0 ? '' : `; members: ${members.join(', ')}`;
      return link(
        heading.replaceAll('`', ''),
        `${file}#${slug(heading)}`,
        `${sentence(paragraph(own))}${list}`,
      );
    });
}

const section = (name, links) => `## ${name}\n\n${links.join('\n')}\n`;
const named = name => groups.find(group => group.name === name).links;
const intro = paragraph(README.slice(README.indexOf('\n\n')));
const parts = [
  `# nestjs-agent-security\n\n> ${flat(intro)}\n`,
  'One import protects an app: `AgentSecurityModule.forRoot()` in the root module. [SKILL.md](SKILL.md) says when to use what, with code\n' +
    'and the common mistakes. Each line below links to the page that has the details.\n',
  section('Start', named('Start')),
  ...groups
    .filter(({ name }) => !['Start', 'Project'].includes(name))
    .map(({ name, links }) => section(name, links)),
  section('Options', headingLinks('docs/reference/options.md', 2)),
  section('Decorators', headingLinks('docs/reference/decorators.md', 3)),
  section('Optional', named('Project')),
];
writeFileSync(values.out, parts.join('\n'));
