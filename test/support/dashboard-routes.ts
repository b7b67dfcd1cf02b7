/* The routes of the apps whose dashboard is tested. */
import { Controller, Delete, Get } from '@nestjs/common';
import { AgentTool, Public, RateLimit } from '../../src/index.js';

@Controller()
export class DashboardRoutes {
  @Get('hello')
  hello(): object {
    return {};
  }

  @Public()
  @RateLimit({ limit: '2/minute', name: 'open' })
  @Get('open')
  open(): object {
    return {};
  }

  @AgentTool('delete_note', { impact: 'high' })
  @Delete('notes/:id')
  remove(): object {
    return {};
  }
}
