import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from 'nestjs-agent-security';

const LINKS: readonly (readonly [path: string, name: string, text: string])[] = [
  [
    '/docs',
    'Swagger UI',
    'The API, to try it. Press "Authorize", and enter the key that the app has printed.',
  ],
  [
    '/security',
    'Dashboard',
    'Who is limited and rejected, live. Sign in with the key of the operator, printed at the start.',
  ],
  ['/tools', 'Tools', 'A good answer: look at its headers.'],
  ['/answers/stream?prompt=What+is+6*7%3F', 'An answer as a stream', 'Server-sent events, word by word.'],
  [
    '/me',
    'A rejection',
    'Without a credential: 401 and a problem document with a code and a request ID. It appears on the dashboard.',
  ],
  ['/nothing', 'Another rejection', 'No such route: 404, with the same headers and the same format.'],
  [
    '/.well-known/oauth-protected-resource',
    'Metadata',
    'How a client finds out where to get a token (RFC 9728).',
  ],
  ['/docs-json', 'OpenAPI', 'The document behind Swagger UI, with the responses of the module.'],
  ['/healthz', 'Health', 'The answer to probes: any host, no limits.'],
];

/** Its policy is the module's for HTML: no script runs here. */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Agent API</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 44rem; margin: 8vh auto; padding: 0 1.2rem }
h1 { margin-bottom: 0 }
ul { display: grid; gap: .7rem; padding: 0; list-style: none }
li { padding: .8rem 1rem; border: 1px solid #8886; border-radius: .7rem }
a { font-weight: 600 }
small { display: block }
</style>
<h1>Agent API</h1>
<p>A sample of nestjs-agent-security. Everything below goes through the module, this page too.</p>
<ul>
${LINKS.map(([path, name, text]) => `<li><a href="${path.replaceAll('&', '&amp;')}">${name}</a> <code>${path.split('?')[0]}</code><small>${text}</small>`).join('\n')}
</ul>
`;

/** A page that links to everything worth trying. */
@ApiExcludeController()
@Public()
@Controller()
export class StartController {
  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  show(): string {
    return PAGE;
  }
}
