import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { type Agent, CurrentAgent } from 'nestjs-agent-security';

@ApiTags('agents')
@Controller('me')
export class MeController {
  /** Whom this API takes the caller for. */
  @ApiOperation({ summary: 'Says whom this API takes the caller for' })
  @Get()
  me(@CurrentAgent() { id, kind, scopes }: Agent): Pick<Agent, 'id' | 'kind' | 'scopes'> {
    return { id, kind, scopes };
  }
}
