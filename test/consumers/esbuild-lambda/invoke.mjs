/* Moves the bundle to a folder without node_modules, and calls it as Lambda does. */
import { copyFileSync, mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assertProtected from './check.cjs';

const file = join(mkdtempSync(join(tmpdir(), 'lambda-')), 'handler.cjs');
copyFileSync('out/handler.cjs', file);
const { handler } = createRequire(import.meta.url)(file);

await assertProtected(async headers => {
  const http = { method: 'GET', path: '/', protocol: 'HTTP/1.1', sourceIp: '203.0.113.7', userAgent: 'test' };
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/',
    rawQueryString: '',
    headers: { host: headers.Host ?? 'localhost' },
    requestContext: { http, stage: '$default' },
    isBase64Encoded: false,
  };
  const answer = await handler(event, {});
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(Object.entries(answer.headers).map(([n, v]) => [n.toLowerCase(), v])),
  };
});
process.exit(0);
