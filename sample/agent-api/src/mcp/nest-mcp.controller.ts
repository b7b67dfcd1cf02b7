import { Payload } from '@nestjs/microservices';
import { McpController, Tool } from '@rekog/mcp-nest';
import { z } from 'zod';
import { ToolsService } from '../tools/tools.service.js';

const INPUT = z.object({ input: z.string().max(1_000) });

/** The same as an MCP server of @rekog/mcp-nest, which mounts it on the raw adapter, where no guard runs. */
@McpController()
export class NestMcpController {
  constructor(private readonly tools: ToolsService) {}

  @Tool({ name: 'calculator', description: 'Works out an expression', parameters: INPUT })
  calculate(@Payload() { input }: z.infer<typeof INPUT>): object {
    return { content: [{ type: 'text', text: JSON.stringify(this.tools.run('calculator', input)) }] };
  }

  @Tool({
    name: 'reset-memory',
    description: 'Forgets everything; no agent may call it',
    parameters: z.object({}),
  })
  resetMemory(): object {
    return { content: [{ type: 'text', text: 'forgotten' }] };
  }
}
