/* Rules for every page of the documentation, and the sizes of the README. docs.spec.ts ties the pages' content to the code. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const filesIn = (folder: string, end: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith(end) && !/(?:^|[\\/])(?:node_modules|dist)[\\/]/.test(name))
    .map(name => `${folder}/${name.replaceAll('\\', '/')}`);

const DOCS = filesIn('docs', '.md');
const PAGES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'SKILL.md', ...DOCS];
const SIDEBAR = existsSync(join(ROOT, 'docs/.vitepress/config.mjs'))
  ? read('docs/.vitepress/config.mjs')
  : '';
const SOURCES = [...filesIn('src', '.ts'), ...filesIn('sample/agent-api/src', '.ts')].map(read).join('\n');

interface Line {
  readonly number: number;
  readonly text: string;
}

/** The lines of prose: without code blocks, tables and front matter. */
function proseOf(page: string): Line[] {
  let isCode = false;
  return page.split('\n').flatMap((text, index) => {
    const isFence = /^\s*```/.test(text);
    if (isFence) isCode = !isCode;
    return isCode || isFence || /^\s*\|/.test(text) ? [] : [{ number: index + 1, text }];
  });
}

/* ---- the rules, each a function from text to what is wrong with it ---- */

const MAX_WIDTH = 140;
const longLines = (page: string): string[] =>
  proseOf(page)
    .filter(({ text }) => text.length > MAX_WIDTH)
    .map(({ number, text }) => `line ${number} has ${text.length} characters`);

const EQUAL_START = 40;
const repeatedStarts = (page: string): string[] => {
  const prose = proseOf(page);
  return prose.flatMap(({ number, text }, index) => {
    const before = prose[index - 1];
    const isNext = before?.number === number - 1;
    return isNext &&
      text.length >= EQUAL_START &&
      before.text.slice(0, EQUAL_START) === text.slice(0, EQUAL_START)
      ? [`lines ${before.number} and ${number} begin alike: ${text.slice(0, EQUAL_START)}`]
      : [];
  });
};

/** Names in capitals that are no variables: error codes, tokens of injection, grammar. */
const isVariable = (name: string): boolean =>
  /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(name) && !name.startsWith('ASEC_');
/** Variables of other programs and of the commands that contributors run, and constants. */
const FOREIGN = new Set([
  'NODE_ENV',
  'NODE_EXTRA_CA_CERTS',
  'APP_GUARD',
  'REQUIRE_ALL_SUITES',
  'CHROMIUM_PATH',
  'NEST_CLI',
  'GITHUB_TOKEN',
  'SECURITY_EVENTS_CHANNEL',
  'REDIS_PASSWORD',
  'REDISCLI_AUTH',
]);
const unknownVariables = (page: string): string[] => {
  const inCode = [...page.matchAll(/`([A-Z][A-Z0-9_]+)(?:=[^`]*)?`/g)].map(([, name]) => name!);
  const inBlocks = [...page.matchAll(/^\s*(?:export )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name!);
  const inYaml = [...page.matchAll(/name: ([A-Z][A-Z0-9_]+)\b/g)].map(([, name]) => name!);
  return [...new Set([...inCode, ...inBlocks, ...inYaml])].filter(
    name =>
      isVariable(name) &&
      !FOREIGN.has(name) &&
      !SOURCES.includes(`'${name}'`) &&
      !SOURCES.includes(`export const ${name} `),
  );
};

const filesThatAreNone = (page: string): string[] =>
  [...page.matchAll(/`((?:src|test|bench|sample|docs|scripts)\/[\w./-]+\.(?:ts|mjs|md|svg))`/g)]
    .map(([, path]) => path!)
    .filter(path => !existsSync(join(ROOT, path)) && !path.includes('<'));

/** An error code is described once, on the reference page. */
const repeatedCodes = (page: string): string[] => {
  const headings = [...page.matchAll(/^#+ `(ASEC_\w+|[a-z]+(?:_[a-z]+)+)`/gm)].map(([, code]) => code!);
  return headings.filter((code, index) => headings.indexOf(code) !== index);
};

const linksOf = (page: string): string[] =>
  [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => join(dirname(page), target!));

const unlinked = (pages: readonly string[], links: ReadonlySet<string>, sidebar: string): string[] =>
  pages.filter(page => !links.has(page) && !sidebar.includes(`'/${page.replace(/\.md$/, '')}'`));

/* ---- applied ---- */

const isOf = (name: string): boolean => DOCS.includes(name);

test('the pages are found', () => {
  expect(PAGES).toEqual(
    expect.arrayContaining(['README.md', 'docs/architecture.md', 'docs/guides/proxies.md']),
  );
  expect(isOf('docs/guides/deployment.md')).toBe(true);
});

test('the README has at most 230 lines and 12 kB', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(230);
  expect(Buffer.byteLength(read('README.md'))).toBeLessThanOrEqual(12_000);
});

test('every page of docs/ is linked from the README or the sidebar of the site', () => {
  expect(unlinked(DOCS, new Set(linksOf('README.md')), SIDEBAR)).toEqual([]);
});

test('every page of the sidebar is there', () => {
  const pages = [...SIDEBAR.matchAll(/page\('[^']*', '\/([^']+)'\)/g)].map(([, path]) => `${path}.md`);
  expect(pages).toContain('docs/architecture.md');
  expect(pages.filter(page => !existsSync(join(ROOT, page)))).toEqual([]);
});

const ratios = (text: string): string[] =>
  [...text.matchAll(/\d+\.?\d*(?: to \d+\.\d+)? ×/g)].map(([ratio]) => ratio);

test('the README shows no ratio that docs/performance.md does not', () => {
  const table = read('README.md').split('\n## Performance\n')[1]!.split('\n## ')[0]!;
  const all = read('docs/performance.md');
  // "3.2 to 3.8" joins two columns.
  const shown = ratios(table).flatMap(ratio =>
    all.includes(ratio)
      ? []
      : ratio
          .replace(' ×', '')
          .split(' to ')
          .filter(part => !all.includes(`${part} ×`)),
  );
  expect(ratios(table).length).toBeGreaterThanOrEqual(5);
  expect(shown).toEqual([]);
});

const RULES: readonly (readonly [title: string, rule: (page: string) => string[]])[] = [
  ['has lines of at most 140 characters', longLines],
  ['has no two consecutive lines that begin alike', repeatedStarts],
  ['names no environment variable that the code does not read', unknownVariables],
  ['names no file that is not there', filesThatAreNone],
  ['describes each error code once', repeatedCodes],
];

describe.each(PAGES)('%s', page => {
  it.each(RULES)('%s', (_title, rule) => expect(rule(read(page))).toEqual([]));
});

test('no error code is described on two pages', () => {
  const described = DOCS.flatMap(page =>
    [...read(page).matchAll(/^#+ `(ASEC_\w+)`/gm)].map(([, code]) => code!),
  );
  expect(described.filter((code, index) => described.indexOf(code) !== index)).toEqual([]);
});

/* ---- each rule finds a planted violation ---- */

const long = 'word '.repeat(30);
const PLANTED: readonly (readonly [
  title: string,
  rule: (page: string) => string[],
  bad: string,
  good: string,
])[] = [
  ['a long line', longLines, long, `| ${long} |`],
  [
    'a long line behind a code block',
    longLines,
    `\`\`\`ts\n${long}\n\`\`\`\n${long}`,
    `\`\`\`ts\n${long}\n\`\`\``,
  ],
  [
    'two lines that begin alike',
    repeatedStarts,
    'A request that is over its limit gets 429 now.\nA request that is over its limit gets 429 with a body.',
    'A request that is over its limit gets 429 now.\n\nA request that is over its limit gets 429 with a body.',
  ],
  ['an unknown variable', unknownVariables, 'Set `AUTH_KEYS_REDIS`.', 'Set `AUTH_KEYS_FILE`.'],
  ['an unknown variable of a block', unknownVariables, 'ALLOWED_HOST=a', 'ALLOWED_HOSTS=a'],
  [
    'an unknown variable of a manifest',
    unknownVariables,
    '- { name: TRUST_PROXIES }',
    '- { name: TRUST_PROXY }',
  ],
  ['a file that is not there', filesThatAreNone, 'See `src/gone/gone.ts`.', 'See `src/features.ts`.'],
  [
    'a code that is described twice',
    repeatedCodes,
    '## `host_invalid`\n\n## `host_invalid`',
    '## `host_invalid`',
  ],
];

test.each(PLANTED)('%s is found', (_title, rule, bad, good) => {
  expect(rule(bad)).toHaveLength(1);
  expect(rule(good)).toEqual([]);
});

test('a page that nothing links is found', () => {
  const pages = ['docs/a.md', 'docs/b.md', 'docs/c.md'];
  expect(unlinked(pages, new Set(['docs/a.md']), "link: '/docs/b'")).toEqual(['docs/c.md']);
});
