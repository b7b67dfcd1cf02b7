import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from 'nestjs-agent-security';

@ApiTags('health')
@Public()
@Controller('healthz')
export class HealthController {
  @ApiOperation({ summary: 'Answers probes' })
  @Get()
  check(): { status: string } {
    return { status: 'ok' };
  }
}
