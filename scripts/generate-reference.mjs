/*
 * Writes docs/reference from the docstrings and codes of src, and docs/compatibility.md from package.json and CI, with the texts of
 * scripts/reference/templates around them:
 *   npm run reference                                       writes the pages
 *   node scripts/generate-reference.mjs --out FOLDER        writes them elsewhere
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import prettier from 'prettier';
import { checksPage, scansPage } from './reference/checks-page.mjs';
import { compatibilityPage } from './reference/compatibility-page.mjs';
import { decoratorsPage } from './reference/decorators-page.mjs';
import { errorsPage } from './reference/errors-page.mjs';
import { eventsPage } from './reference/events-page.mjs';
import { optionsPage } from './reference/options-page.mjs';
import { Source } from './reference/source.mjs';

const SCRIPTS = dirname(fileURLToPath(import.meta.url));
/** By their paths in docs. */
const PAGES = {
  'reference/options': optionsPage,
  'reference/decorators': decoratorsPage,
  'reference/errors': errorsPage,
  'reference/events': eventsPage,
  'reference/checks': checksPage,
  'reference/scans': scansPage,
  compatibility: compatibilityPage,
};

const { values } = parseArgs({
  options: {
    root: { type: 'string', default: resolve(SCRIPTS, '..') },
    out: { type: 'string' },
  },
});
const out = values.out ?? join(values.root, 'docs');
const style = await prettier.resolveConfig(join(values.root, 'docs/reference/options.md'));
const source = new Source(values.root);
for (const [path, render] of Object.entries(PAGES)) {
  const parts = render(source, values.root);
  const template = readFileSync(join(SCRIPTS, 'reference/templates', `${basename(path)}.md`), 'utf8');
  const page = template.replace(/<!-- (\w+) -->/g, (_marker, part) => parts[part]);
  const text = await prettier.format(page, {
    ...style,
    parser: 'markdown',
    proseWrap: 'always',
    tabWidth: 2,
  });
  const file = join(out, `${path}.md`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
