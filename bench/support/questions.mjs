/* What stack.mjs measures: the questions, and each server that answers them. */
import { HAS_WRK } from './child.mjs';
import { LOADS } from './load.mjs';
import { HAS_NGINX } from './nginx.mjs';

export const PLATFORMS = ['fastify', 'express'];

const GRANTED = [
  { variant: 'bare' },
  { variant: 'assembled' },
  { variant: 'assembled-plugins', only: 'fastify' },
  { variant: 'assembled-3-limits' },
  { variant: 'nest' },
  { variant: 'floor' },
  { variant: 'text-floor' },
  { variant: 'ours' },
];

const PROXIED = ['bare', 'assembled', 'ours'].map(variant => ({ variant, proxied: true }));

/** One client over its limit; the bare app's 200s are what a rejection is compared with. */
const REJECTED = [
  { variant: 'bare' },
  { variant: 'assembled', limit: 10 },
  { variant: 'assembled-10000', stack: 'assembled', limit: 10_000 },
  { variant: 'nest', limit: 10 },
  { variant: 'floor', limit: 10 },
  { variant: 'ours', limit: 10, rejectedBy: 'module' },
  { variant: 'ours-10000', stack: 'ours', limit: 10_000, rejectedBy: 'module' },
  { variant: 'ours-route', stack: 'ours', limit: 10, rejectedBy: 'route' },
  { variant: 'ours-guard', stack: 'ours', limit: 10, rejectedBy: 'guard' },
  { variant: 'ours-flood', stack: 'ours', limit: 10, rejectedBy: 'flood' },
].map(run => ({ ...run, oneClient: true }));

const GROWTH = ['bare', 'assembled', 'floor', 'ours'].map(variant => ({
  variant,
  limit: 10_000_000,
  oneClient: true,
}));

const MANY = 1_000;
const names = Array.from({ length: MANY }, (_, index) => `h${index}.example.com`);
const SCALE = [
  { variant: 'bare', routes: 1 },
  { variant: 'bare-many', stack: 'bare', routes: MANY },
  { variant: 'ours', routes: 1 },
  {
    variant: 'ours-many',
    stack: 'ours',
    routes: MANY,
    hosts: names,
    origins: [...names.map(name => `https://${name}`), 'https://app.example.com'],
  },
];

/** Bare and protected: the bare app gets the same headers. */
const pair = settings => ['bare', 'ours'].map(variant => ({ variant, ...settings }));

/** @type {Record<string, { title: string, variants: object[], requests: object[] }>} */
export const QUESTIONS = {
  get: { title: 'GET', variants: GRANTED, requests: LOADS.get },
  proxied: {
    title: 'GET behind a trusted proxy, 10,000 clients',
    variants: HAS_WRK ? PROXIED : [],
    requests: LOADS.proxied,
  },
  nginx: {
    title: 'GET behind nginx',
    variants: HAS_NGINX ? pair({ proxied: true, nginx: true }) : [],
    requests: LOADS.get,
  },
  post: { title: 'POST, 1 kB of JSON', variants: GRANTED, requests: LOADS.post },
  auth: {
    title: 'GET with an API key',
    variants: pair({ withAgent: true }),
    requests: LOADS.get,
  },
  tool: {
    title: 'a tool with an API key, audit to a file',
    variants: pair({ withAgent: true, tool: true }),
    requests: LOADS.tool,
  },
  mcp: {
    title: 'MCP tools/call with an API key',
    variants: pair({ withAgent: true, mcp: true }),
    requests: LOADS.mcp,
  },
  rejected: { title: 'every answer a 429', variants: REJECTED, requests: LOADS.get },
  scale: {
    title: 'GET with 1 or 1,000 hosts, origins and routes',
    variants: SCALE,
    requests: LOADS.origin,
  },
  growth: { title: 'one client, 10,000,000 a minute', variants: GROWTH, requests: LOADS.get },
};

export const RUNS = Object.entries(QUESTIONS).flatMap(([question, { variants }]) =>
  PLATFORMS.flatMap(platform =>
    variants
      .filter(({ only = platform }) => only === platform)
      .map(run => ({ stack: run.variant, ...run, question, platform })),
  ),
);
