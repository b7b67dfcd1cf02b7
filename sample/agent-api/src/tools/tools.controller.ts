import { Body, Controller, Get, Header, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NoStore, Public, RateLimit, Scopes } from 'nestjs-agent-security';
import { RunToolDto } from './run-tool.dto.js';
import { ToolsService, type ToolSummary } from './tools.service.js';

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

  @Post(':name/run')
  @HttpCode(200)
  @Scopes('tools:run')
  @RateLimit('5/minute')
  run(@Param('name') name: string, @Body() { input }: RunToolDto): { tool: string; output: unknown } {
    return { tool: name, output: this.tools.run(name, input) };
  }
}
