/* What targets.mjs checks. docs/performance.md quotes these numbers, and its test compares them. */

/**
 * @typedef {object} Target
 * @property {string} title
 * @property {string} of the run that is measured, as question/variant of questions.mjs
 * @property {string} [beside] the run that it is compared with; by default its own first seconds
 * @property {'perCpuSecond' | 'p99Ms'} [by] requests for a second of the server's CPU time by default
 * @property {{ fastify: number, express: number }} [atLeast]
 * @property {{ fastify: number, express: number }} [atMost]
 */

const both = bound => ({ fastify: bound, express: bound });

/** `forRoot()` with two windows and `flood`, every header sent. A row without a bound is stated and not judged.
 * @type {readonly Target[]} */
export const TARGETS = [
  { title: 'GET', of: 'get/ours', beside: 'get/bare', atLeast: { fastify: 0.75, express: 0.87 } },
  { title: 'GET, the text floor', of: 'get/text-floor', beside: 'get/bare' },
  { title: 'GET', of: 'get/ours', beside: 'get/assembled', atLeast: { fastify: 2.1, express: 1.25 } },
  { title: 'GET, p99', of: 'get/ours', beside: 'get/assembled', by: 'p99Ms', atMost: both(1) },
  {
    title: 'GET behind a trusted proxy, 10,000 clients',
    of: 'proxied/ours',
    beside: 'proxied/bare',
    atLeast: { fastify: 0.68, express: 0.78 },
  },
  {
    title: 'GET behind a trusted proxy, 10,000 clients',
    of: 'proxied/ours',
    beside: 'get/ours',
    atLeast: both(0.85),
  },
  {
    title: 'GET behind a trusted proxy, 10,000 clients',
    of: 'proxied/ours',
    beside: 'proxied/assembled',
    atLeast: { fastify: 2.1, express: 1.25 },
  },
  {
    title: '429 under the limit of a route',
    of: 'rejected/ours-route',
    beside: 'get/bare',
    atLeast: { fastify: 0.78, express: 3.4 },
  },
  {
    title: '429 under limits that all routes share',
    of: 'rejected/ours',
    beside: 'get/bare',
    atLeast: { fastify: 0.85, express: 4.5 },
  },
  {
    title: 'POST, 1 kB of JSON',
    of: 'post/ours',
    beside: 'post/bare',
    atLeast: { fastify: 0.7, express: 0.82 },
  },
  { title: 'GET with an API key', of: 'auth/ours', beside: 'auth/bare' },
  { title: 'a tool with an API key, audit to a file', of: 'tool/ours', beside: 'tool/bare' },
  { title: 'MCP tools/call with an API key', of: 'mcp/ours', beside: 'mcp/bare' },
  { title: 'GET behind nginx', of: 'nginx/ours', beside: 'nginx/bare' },
  {
    title: 'GET with 1,000 hosts, origins and routes',
    of: 'scale/ours-many',
    beside: 'scale/ours',
    atLeast: both(0.95),
  },
  { title: 'one client, 10,000,000 a minute, the last seconds', of: 'growth/ours', atLeast: both(0.95) },
];

/** What the import and the start of an app with `forRoot()` may add to those of the app without it. */
export const START_TARGETS = { addedMs: 80, addedHeapMB: 6 };
