import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { AgentSecurityModule } from 'nestjs-agent-security';
import { AnswersController } from './answers/answers.controller.js';
import { AnswersService } from './answers/answers.service.js';
import { DemoKeys } from './demo-keys.js';
import { HealthController } from './health.controller.js';
import { NestMcpController } from './mcp/nest-mcp.controller.js';
import { SdkMcpController } from './mcp/sdk-mcp.controller.js';
import { MeController } from './me.controller.js';
import { NotesController } from './notes/notes.controller.js';
import { NotesService } from './notes/notes.service.js';
import { auditFile, publicUrl } from './settings.js';
import { StartController } from './start.controller.js';
import { ToolsController } from './tools/tools.controller.js';
import { ToolsService } from './tools/tools.service.js';

@Module({
  imports: [ConfigModule.forRoot()],
  providers: [
    {
      provide: DemoKeys,
      useFactory: (config: ConfigService) => new DemoKeys(name => config.get<string>(name)),
      inject: [ConfigService],
    },
  ],
  exports: [DemoKeys],
})
class DemoKeysModule {}

@Module({
  imports: [
    // Hosts, origins, limits, proxies and keys come from the environment, or from the .env that ConfigModule loads: see .env.example.
    AgentSecurityModule.forRootAsync({
      imports: [DemoKeysModule],
      inject: [DemoKeys],
      useFactory: (demo: DemoKeys) => ({
        auth: {
          ...(demo.options === undefined ? {} : { apiKeys: demo.options }),
          // A real app gives signingKeys: tokens of this key end with the process.
          tokenEndpoint: { issuer: publicUrl(process.env), insecureEphemeralKey: true },
        },
        // A load balancer calls by address, and often; a health probe needs neither check.
        hosts: { exemptPaths: ['/healthz'] },
        rateLimit: { exemptPaths: ['/healthz'] },
        // Tool policies over MCP are checked before both servers: guards do not run for one of them.
        mcp: { path: ['/mcp', '/mcp-nest'] },
        tools: { policies: { 'reset-memory': { scopes: ['admin'], impact: 'high', limit: '10/hour' } } },
        // What @AgentTool() handlers do, each line bound to the one before it.
        audit: { file: auditFile(process.env) },
        headers: {
          // Swagger UI needs inline styles and the pictures in its style sheet beyond its own files, and the first page has an inline
          // style; scripts are files, so scripts stay at 'self'. The dashboard has a policy of its own.
          htmlContentSecurityPolicy: {
            styleSrc: ["'self'", "'unsafe-inline'"],
            imgSrc: ["'self'", 'data:'],
          },
        },
        // Who is limited and rejected, for the operator's key that the app prints.
        dashboard: { path: '/security', scopes: ['ops'], actionScopes: ['ops:act'] },
        // `npx nestjs-agent-security check` reports the rest.
        check: { silence: { 'ASEC-C009': 'A demonstration: its tokens need not outlive the process.' } },
      }),
    }),
    DemoKeysModule,
  ],
  controllers: [
    StartController,
    ToolsController,
    NotesController,
    AnswersController,
    MeController,
    HealthController,
    SdkMcpController,
    NestMcpController,
  ],
  providers: [ToolsService, NotesService, AnswersService],
})
export class AppModule {}
