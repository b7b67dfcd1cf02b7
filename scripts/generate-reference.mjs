/*
 * Writes docs/reference from the docstrings and codes of src, and the texts of scripts/reference/templates around them:
 *   npm run reference                                       writes the pages
 *   node scripts/generate-reference.mjs --out FOLDER        writes them elsewhere
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import prettier from 'prettier';
import { checksPage } from './reference/checks-page.mjs';
import { decoratorsPage } from './reference/decorators-page.mjs';
import { errorsPage } from './reference/errors-page.mjs';
import { eventsPage } from './reference/events-page.mjs';
import { optionsPage } from './reference/options-page.mjs';
import { Source } from './reference/source.mjs';

const SCRIPTS = dirname(fileURLToPath(import.meta.url));
const PAGES = {
  options: optionsPage,
  decorators: decoratorsPage,
  errors: errorsPage,
  events: eventsPage,
  checks: checksPage,
};

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: resolve(SCRIPTS, '..') },
    out: { type: 'string' },
  },
});
const out = values.out ?? join(values.root, 'docs/reference');
const style = await prettier.resolveConfig(join(values.root, 'docs/reference/options.md'));
const source = new Source(values.root);
mkdirSync(out, { recursive: true });
for (const [name, render] of Object.entries(PAGES)) {
  const parts = render(source);
  const template = readFileSync(join(SCRIPTS, 'reference/templates', `${name}.md`), 'utf8');
  const page = template.replace(/<!-- (\w+) -->/g, (_marker, part) => parts[part]);
  const text = await prettier.format(page, {
    ...style,
    parser: 'markdown',
    proseWrap: 'always',
    tabWidth: 2,
  });
  writeFileSync(join(out, `${name}.md`), text);
}
