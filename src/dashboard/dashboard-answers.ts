/* The responses of the dashboard: its page under a policy of its own, and JSON. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Rejection } from '../common/rejection.js';

export const reject = (status: number, code: string, detail: string): Rejection => ({
  problem: { status, code, detail },
  headers: [],
});

/** Whatever the option `noStore` says. */
export const NO_STORE = { 'Cache-Control': 'no-store' } as const;

export const VIEWERS_FULL: Rejection = {
  ...reject(
    429,
    'rate_limited',
    'As many pages are open as this process serves. Read the data without a stream.',
  ),
  headers: ['Retry-After', '10'],
};

interface Page {
  readonly html: Buffer;
  readonly policy: string;
}

let page: Promise<Page> | undefined;

/** Loaded on demand: an app without a dashboard, or whose dashboard nobody opens, does not have the page in memory. */
async function loadPage(): Promise<Page> {
  const { PAGE, SCRIPT, STYLE } = await import('./dashboard-page.js');
  const policy = [
    "default-src 'none'",
    `script-src ${hash(SCRIPT)}`,
    `style-src ${hash(STYLE)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
  const html = PAGE.replace('</style>', () => `${STYLE}</style>`).replace(
    '</script>',
    () => `${SCRIPT}</script>`,
  );
  return { html: Buffer.from(html), policy };
}

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

export async function answerPage(raw: IncomingMessage, response: ServerResponse): Promise<void> {
  const { html, policy } = await (page ??= loadPage());
  response.writeHead(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': html.length,
    'Content-Security-Policy': policy,
    ...NO_STORE,
  });
  response.end(raw.method === 'HEAD' ? undefined : html);
}

export function answerJson(response: ServerResponse, value: object): void {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length, ...NO_STORE });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}
