import { Module } from '@nestjs/common';
import { AgentSecurityModule } from 'nestjs-agent-security';
import { AnswersController } from './answers/answers.controller.js';
import { AnswersService } from './answers/answers.service.js';
import { HealthController } from './health.controller.js';
import { NestMcpController } from './mcp/nest-mcp.controller.js';
import { SdkMcpController } from './mcp/sdk-mcp.controller.js';
import { ToolsController } from './tools/tools.controller.js';
import { ToolsService } from './tools/tools.service.js';

@Module({
  imports: [
    // Hosts, origins, limits and proxies come from the environment (or .env): see .env.example.
    AgentSecurityModule.forRoot({
      // A load balancer asks by address, and often; a health probe needs neither check.
      hosts: { exemptPaths: ['/healthz'] },
      rateLimit: { exemptPaths: ['/healthz'] },
      // Who may call what over MCP is decided in front of both servers; one of them no guard would see.
      mcp: { path: ['/mcp', '/mcp-nest'] },
      tools: { policies: { 'reset-memory': { scopes: ['admin'], impact: 'high' } } },
      headers: {
        // Swagger UI is the only HTML here. Beyond its own files it needs inline styles and the pictures in its style sheet;
        // its scripts are files, so scripts stay at 'self'.
        htmlContentSecurityPolicy: {
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:'],
        },
      },
    }),
  ],
  controllers: [ToolsController, AnswersController, HealthController, SdkMcpController, NestMcpController],
  providers: [ToolsService, AnswersService],
})
export class AppModule {}
