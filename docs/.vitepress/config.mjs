/* The documentation site: `npm run docs` builds it into docs/.vitepress/dist. Its pages are the Markdown files of the repository, so that
 * each link is the same on the site and in the repository. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = (text, link) => ({ text, link });

/** Every page, in the order of the sidebar. */
const SIDEBAR = [
  {
    text: 'Start',
    items: [page('README', '/'), page('Skill', '/SKILL'), page('Architecture', '/docs/architecture')],
  },
  {
    text: 'Guides',
    items: [
      page('Install', '/docs/guides/install'),
      page('Configuration', '/docs/guides/configuration'),
      page('Headers', '/docs/guides/headers'),
      page('Proxies', '/docs/guides/proxies'),
      page('CORS', '/docs/guides/cors'),
      page('Server-sent events', '/docs/guides/sse'),
      page('Swagger UI', '/docs/guides/swagger-ui'),
      page('Logging', '/docs/guides/logging'),
      page('Redis', '/docs/guides/redis'),
      page('Login attempts', '/docs/guides/login-attempts'),
      page('Testing', '/docs/guides/testing'),
      page('Check and doctor', '/docs/check'),
      page('Scan', '/docs/scan'),
      page('Check and scan in CI', '/docs/guides/ci'),
      page('Deployment', '/docs/guides/deployment'),
      page('Docker Compose', '/docs/guides/compose'),
      page('Two replicas behind nginx', '/docs/guides/full-deployment'),
    ],
  },
  {
    text: 'Topics',
    items: [
      page('Authentication', '/docs/authentication'),
      page('Tools', '/docs/tools'),
      page('Audit', '/docs/audit'),
      page('MCP', '/docs/mcp'),
      page('Rate limits', '/docs/rate-limits'),
      page('Redis in detail', '/docs/redis'),
      page('Input', '/docs/input'),
      page('Timeouts', '/docs/timeouts'),
      page('WebSockets', '/docs/websockets'),
      page('Verbs', '/docs/verbs'),
      page('CSP reports', '/docs/csp-reports'),
      page('Telemetry', '/docs/telemetry'),
      page('Dashboard', '/docs/dashboard'),
    ],
  },
  {
    text: 'Reference',
    items: [
      page('Options', '/docs/reference/options'),
      page('Decorators', '/docs/reference/decorators'),
      page('Errors', '/docs/reference/errors'),
      page('Events', '/docs/reference/events'),
      page('Checks', '/docs/reference/checks'),
      page('Scan rules', '/docs/reference/scans'),
    ],
  },
  {
    text: 'Project',
    items: [
      page('Compatibility', '/docs/compatibility'),
      page('Migration', '/docs/migration'),
      page('Performance', '/docs/performance'),
      page('Benches', '/bench/README'),
      page('Security policy', '/SECURITY'),
      page('Threat model', '/docs/threat-model'),
      page('Sources', '/docs/sources'),
      page('Dependencies', '/docs/dependencies'),
      page('Contributing', '/CONTRIBUTING'),
      page('Changelog', '/CHANGELOG'),
    ],
  },
];

/** Folders without pages. */
const NO_PAGES = ['.*', 'coverage', 'dist', 'node_modules', 'sample', 'scripts', 'snippets', 'src', 'test'];

/** The anchor of a heading, as repositories show it: `hosts.allow` is `#hostsallow`. */
const slugify = heading =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

/** What the site shows otherwise than the repository. */
function adaptMarkdown(markdown) {
  // HTML is shown as text, so that <name> in a page is what it says; comments are left out.
  markdown.core.ruler.before('normalize', 'comments', state => {
    state.src = state.src.replaceAll(/^<!--[^]*?-->$/gm, '');
  });
  // The README is the first page of the site, and the licence is no page.
  markdown.core.ruler.push('links', ({ tokens }) => {
    for (const link of tokens
      .flatMap(({ children }) => children ?? [])
      .filter(({ type }) => type === 'link_open')) {
      const target = link.attrGet('href');
      if (/^(?:\.\.\/)+README\.md/.test(target))
        link.attrSet('href', target.replace(/^[./]+README\.md/, '/'));
      if (target === 'LICENSE') link.attrSet('href', 'https://spdx.org/licenses/MIT.html');
    }
  });
  // There is no Mermaid. Beside each diagram stands the same as text.
  const { fence } = markdown.renderer.rules;
  markdown.renderer.rules.fence = (tokens, index, ...rest) =>
    tokens[index].info.trim() === 'mermaid' ? '' : fence(tokens, index, ...rest);
}

/** The Markdown of each page beside its HTML, and llms.txt, whose links name the Markdown. */
function copyMarkdown({ pages, outDir, srcDir }) {
  for (const file of [...pages, 'llms.txt']) cpSync(join(srcDir, file), join(outDir, file));
}

// oxlint-disable-next-line import/no-default-export -- VitePress reads it
export default defineConfig({
  title: 'nestjs-agent-security',
  description: 'Security for NestJS APIs that AI agents and browsers call',
  srcDir: root,
  srcExclude: NO_PAGES.map(folder => `${folder}/**`),
  outDir: fileURLToPath(new URL('dist', import.meta.url)),
  cacheDir: fileURLToPath(new URL('../../node_modules/.cache/vitepress', import.meta.url)),
  buildEnd: copyMarkdown,
  rewrites: { 'README.md': 'index.md' },
  lastUpdated: false,
  markdown: { html: false, anchor: { slugify }, config: adaptMarkdown },
  themeConfig: { sidebar: SIDEBAR, search: { provider: 'local' }, outline: [2, 3] },
});
