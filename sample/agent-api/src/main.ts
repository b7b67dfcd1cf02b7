import 'reflect-metadata';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { McpStrategy, StreamableHttpTransport } from '@rekog/mcp-nest';
import { AgentSecurityConfigError } from 'nestjs-agent-security';
import { AppModule } from './app.module.js';
import { readSettings, SettingsError } from './settings.js';

async function start(): Promise<void> {
  const { platform, port } = readSettings(process.env);
  const app = await NestFactory.create(
    AppModule,
    platform === 'fastify' ? new FastifyAdapter({ forceCloseConnections: true }) : new ExpressAdapter(),
    // A mistake in the configuration is reported below, in one line; Nest would abort, and log it with its stack.
    { abortOnError: false, logger: false, forceCloseConnections: true },
  );
  app.useLogger(['warn', 'error', 'fatal']);
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
  app.enableShutdownHooks();
  const description = new DocumentBuilder().setTitle('Agent API').setVersion('1.0').build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description));
  const strategy = new McpStrategy({
    name: 'agent-api',
    version: '1.0.0',
    transports: [new StreamableHttpTransport({ endpoint: '/mcp-nest' })],
    httpAdapter: app.getHttpAdapter(),
    logging: false,
  });
  app.connectMicroservice({ strategy });
  await app.startAllMicroservices();
  await app.listen(port, '127.0.0.1');
  const { port: bound } = app.getHttpServer().address() as { port: number };
  console.log(welcome(`http://127.0.0.1:${bound}`, platform));
}

function welcome(url: string, platform: string): string {
  return `Agent API on ${platform}: ${url} (Swagger UI: ${url}/docs)
MCP servers: ${url}/mcp (the official SDK) and ${url}/mcp-nest (@rekog/mcp-nest)

The headers of a good answer:
  curl -i ${url}/tools

A host that nobody allowed, as in DNS rebinding: 421
  curl -i -H 'Host: evil.example' ${url}/tools

Six runs where five a minute are allowed: 429 and Retry-After
  for run in 1 2 3 4 5 6; do curl -si -H 'Content-Type: application/json' -d '{"input":"6 * 7"}' ${url}/tools/calculator/run | grep -iE '^(HTTP|Retry-After)'; done
`;
}

try {
  await start();
} catch (error) {
  const isMistake = error instanceof AgentSecurityConfigError || error instanceof SettingsError;
  console.error(isMistake ? `Bad configuration: ${error.message}` : error);
  process.exit(1);
}
