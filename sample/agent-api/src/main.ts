import 'reflect-metadata';
import { ConsoleLogger, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import { McpStrategy, StreamableHttpTransport } from '@rekog/mcp-nest';
import { AgentSecurityConfigError } from 'nestjs-agent-security';
import { AppModule } from './app.module.js';
import { DemoKeys } from './demo-keys.js';
import { createDocument } from './openapi.js';
import { auditFile, findFreePort, readSettings, SettingsError } from './settings.js';

async function start(): Promise<void> {
  const { platform, port, address } = readSettings(process.env);
  if (port === 0) process.env['PORT'] = String(await findFreePort());
  const app = await NestFactory.create(
    AppModule,
    platform === 'fastify' ? new FastifyAdapter({ forceCloseConnections: true }) : new ExpressAdapter(),
    // A mistake in the configuration is reported below, in one line; Nest would abort, and log it with its stack.
    { abortOnError: false, logger: false, forceCloseConnections: true },
  );
  app.useLogger(new ConsoleLogger({ logLevels: ['log', 'warn', 'error', 'fatal'] }));
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
  app.enableShutdownHooks();
  SwaggerModule.setup('docs', app, () => createDocument(app));
  const strategy = new McpStrategy({
    name: 'agent-api',
    version: '1.0.0',
    transports: [new StreamableHttpTransport({ endpoint: '/mcp-nest' })],
    httpAdapter: app.getHttpAdapter(),
    logging: false,
  });
  app.connectMicroservice({ strategy });
  await app.startAllMicroservices();
  await app.listen(readSettings(process.env).port, address);
  const demo = app.get(DemoKeys, { strict: false });
  const url = `http://127.0.0.1:${readSettings(process.env).port}`;
  console.log(welcome(url, platform, demo, auditFile(process.env)));
}

function welcome(url: string, platform: string, demo: DemoKeys, record: string): string {
  const key = demo.key ?? '$API_KEY';
  const origin =
    demo.key === undefined ? 'Keys come from the environment.' : `A key for this run: ${demo.key}`;
  const operator = demo.operatorKey ?? 'a key of an agent with the scope ops';
  return `Agent API on ${platform}: ${url} (Swagger UI: ${url}/docs)
${origin}
Dashboard: ${url}/security (sign in with ${operator})
MCP servers: ${url}/mcp (the official SDK) and ${url}/mcp-nest (@rekog/mcp-nest)

The headers of a good answer:
  curl -i ${url}/tools

Authenticated with a key:
  curl -i -H 'X-API-Key: ${key}' ${url}/me

Rejected without one: 401 and a challenge
  curl -i ${url}/me

A host that is not allowed, as in DNS rebinding: 421
  curl -i -H 'Host: evil.example' ${url}/tools

A dangerous tool, which has an audit record before it runs, and the end of the file (tail -f shows it as it grows)
  curl -si -X DELETE -H 'X-API-Key: ${key}' ${url}/notes/1 | grep -E '^HTTP'; tail -n 2 ${record}

Whether the audit file has been changed
  node dist/cli/main.js audit verify ${record}

Refreshed: a token of ten minutes for the key, and a call with it; run it again for the next one
  TOKEN=$(curl -s -u 'demo-agent:${key}' -d grant_type=client_credentials ${url}/oauth/token | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'); curl -i -H "Authorization: Bearer $TOKEN" ${url}/me

Throttled: six runs where an agent may have five a minute: 429 and Retry-After
  for run in 1 2 3 4 5 6; do curl -si -H 'X-API-Key: ${key}' -H 'Content-Type: application/json' -d '{"input":"6 * 7"}' ${url}/tools/calculator/run | grep -iE '^(HTTP|Retry-After)'; done
`;
}

try {
  await start();
} catch (error) {
  const isMistake = error instanceof AgentSecurityConfigError || error instanceof SettingsError;
  console.error(isMistake ? `Bad configuration: ${error.message}` : error);
  process.exit(1);
}
