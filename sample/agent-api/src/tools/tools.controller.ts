import { Body, Controller, Get, Header, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AgentTool, type AgentToolOptions, NoStore, Public } from 'nestjs-agent-security';
import { calculator } from './calculator.js';
import { currentTime } from './current-time.js';
import { RunToolDto } from './run-tool.dto.js';
import { textStatistics } from './text-statistics.js';
import type { Tool } from './tool.js';
import { ToolsService, type ToolSummary } from './tools.service.js';

/**
 * What a run takes. `@AgentTool()` declares it for the tool of this name, over HTTP and over MCP, and both count in one quota;
 * `@Scopes()` and `@RateLimit()` would hold for the route alone.
 */
const RUN: AgentToolOptions = { scopes: ['tools:run'], limit: '5/minute', impact: 'low' };

/** The body that Swagger UI shows first. */
const example = ({ name, example: input }: Tool) => ({ [name]: { value: { input } } });

@ApiTags('tools')
@Controller('tools')
export class ToolsController {
  constructor(private readonly tools: ToolsService) {}

  /** The list is the same for everybody, so it may be kept for a minute. */
  @ApiOperation({ summary: 'Lists the tools' })
  @Get()
  @Public()
  @NoStore(false)
  @Header('Cache-Control', 'public, max-age=60')
  list(): { tools: ToolSummary[] } {
    return { tools: this.tools.list() };
  }

  @ApiOperation({ summary: 'Works out an expression' })
  @ApiBody({ type: RunToolDto, examples: example(calculator) })
  @Post('calculator/run')
  @HttpCode(200)
  @AgentTool('calculator', RUN)
  calculate(@Body() { input }: RunToolDto): ToolRun {
    return this.run('calculator', input);
  }

  @ApiOperation({ summary: 'Counts characters, words and sentences' })
  @ApiBody({ type: RunToolDto, examples: example(textStatistics) })
  @Post('text-statistics/run')
  @HttpCode(200)
  @AgentTool('text-statistics', RUN)
  count(@Body() { input }: RunToolDto): ToolRun {
    return this.run('text-statistics', input);
  }

  @ApiOperation({ summary: 'Reads the clock of a time zone' })
  @ApiBody({ type: RunToolDto, examples: example(currentTime) })
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
