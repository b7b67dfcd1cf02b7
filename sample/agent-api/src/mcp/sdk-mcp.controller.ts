import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { All, Controller, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { z } from 'zod';
import { ToolsService } from '../tools/tools.service.js';

interface PlatformRequest extends IncomingMessage {
  raw?: IncomingMessage;
  body?: unknown;
}
interface PlatformResponse extends ServerResponse {
  raw?: ServerResponse;
  hijack?: () => void;
}

/** The tools as an MCP server of the official SDK, for clients of both revisions. */
@ApiExcludeController()
@Controller('mcp')
export class SdkMcpController {
  private readonly handle = toNodeHandler(createMcpHandler(() => this.createServer()));

  constructor(private readonly tools: ToolsService) {}

  @All()
  async mcp(@Req() request: PlatformRequest, @Res() response: PlatformResponse): Promise<void> {
    // Fastify is not to answer what the SDK answers.
    response.hijack?.();
    await this.handle((request.raw ?? request) as never, response.raw ?? response, request.body);
  }

  private createServer(): McpServer {
    const server = new McpServer({ name: 'agent-api', version: '1.0.0' });
    for (const { name, description } of this.tools.list()) {
      const inputSchema = z.object({ input: z.string().max(1_000) });
      server.registerTool(name, { description, inputSchema }, ({ input }) => ({
        content: [{ type: 'text', text: JSON.stringify(this.tools.run(name, input)) }],
      }));
    }
    return server;
  }
}
