import { Body, Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { AgentTool, type AgentToolOptions, NoStore, Public } from 'nestjs-agent-security';
import { RunToolDto } from './run-tool.dto.js';
import { ToolsService, type ToolSummary } from './tools.service.js';

/**
 * What a run takes. `@AgentTool()` declares it for the tool of this name, over HTTP and over MCP, and both count in one quota;
 * `@Scopes()` and `@RateLimit()` would hold for the route alone.
 */
const RUN: AgentToolOptions = { scopes: ['tools:run'], limit: '5/minute' };

@ApiTags('tools')
@Controller('tools')
export class ToolsController {
  constructor(private readonly tools: ToolsService) {}

  /** The list is the same for everybody, so it may be kept for a minute. */
  @Get()
  @Public()
  @NoStore(false)
  @Header('Cache-Control', 'public, max-age=60')
  list(): { tools: ToolSummary[] } {
    return { tools: this.tools.list() };
  }

  @Post('calculator/run')
  @HttpCode(200)
  @AgentTool('calculator', RUN)
  calculate(@Body() { input }: RunToolDto): ToolRun {
    return this.run('calculator', input);
  }

  @Post('text-statistics/run')
  @HttpCode(200)
  @AgentTool('text-statistics', RUN)
  count(@Body() { input }: RunToolDto): ToolRun {
    return this.run('text-statistics', input);
  }

  @Post('current-time/run')
  @HttpCode(200)
  @AgentTool('current-time', RUN)
  readTime(@Body() { input }: RunToolDto): ToolRun {
    return this.run('current-time', input);
  }

  private run(tool: string, input: string): ToolRun {
    return { tool, output: this.tools.run(tool, input) };
  }
}

interface ToolRun {
  readonly tool: string;
  readonly output: unknown;
}
