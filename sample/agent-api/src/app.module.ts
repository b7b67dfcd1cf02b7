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
          // Swagger UI is the only HTML here. Beyond its own files it needs inline styles and the pictures in its style sheet;
          // its scripts are files, so scripts stay at 'self'.
          htmlContentSecurityPolicy: {
            styleSrc: ["'self'", "'unsafe-inline'"],
            imgSrc: ["'self'", 'data:'],
          },
        },
        // `npx nestjs-agent-security check` reports the rest.
        check: { silence: { 'ASEC-C009': 'A demonstration: its tokens need not outlive the process.' } },
      }),
    }),
    DemoKeysModule,
  ],
  controllers: [
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
