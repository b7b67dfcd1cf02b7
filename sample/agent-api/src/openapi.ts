import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

const DESCRIPTION = `Tools and notes for agents. Press "Authorize" and enter the key that the app prints when it starts.
Reading tools and asking for answers needs no key. Every error is a problem document (RFC 9457) with a stable \`code\`.`;

const problem = (status: number, title: string, code: string, detail: string, more: object = {}): object => ({
  type: 'about:blank',
  title,
  status,
  detail,
  code,
  requestId: '0f6f0a5c-7d3e-4a52-9a39-6d0c8e3d2a11',
  ...more,
});

/** What the app answers, by status. */
const PROBLEMS: Readonly<Record<string, object>> = {
  400: problem(400, 'Bad Request', 'validation_failed', 'The request is not valid', {
    errors: ['input must be longer than or equal to 1 characters'],
  }),
  401: problem(
    401,
    'Unauthorized',
    'credential_missing',
    'This route needs an API key as X-API-Key, or an API key or a token as Authorization: Bearer.',
  ),
  403: problem(
    403,
    'Forbidden',
    'insufficient_scope',
    'The credential does not have the scopes that this tool needs.',
    {
      required_scopes: ['tools:run'],
    },
  ),
  404: problem(404, 'Not Found', 'not_found', 'There is no note of this number'),
  429: problem(429, 'Too Many Requests', 'rate_limited', 'Limit: 10 requests per 1 second', {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    retryable: true,
    retry_after_seconds: 1,
    'violated-policies': ['10-per-second'],
  }),
};

/** The description of the API, with an example of each problem in place of a schema's placeholders. */
export function createDocument(app: INestApplication): OpenAPIObject {
  const info = new DocumentBuilder()
    .setTitle('Agent API')
    .setDescription(DESCRIPTION)
    .setVersion('1.0')
    .build();
  const document = SwaggerModule.createDocument(app, info);
  for (const operation of Object.values(document.paths).flatMap(path => Object.values(path))) {
    const { responses = {} } = operation as {
      responses?: Record<string, { content?: Record<string, object> }>;
    };
    for (const [status, { content }] of Object.entries(responses)) {
      const media = content?.['application/problem+json'] as { example?: unknown } | undefined;
      if (media && PROBLEMS[status]) media.example ??= PROBLEMS[status];
    }
  }
  return document;
}
