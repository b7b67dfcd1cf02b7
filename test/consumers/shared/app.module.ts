import { Controller, Get, Module } from '@nestjs/common';
import { AgentSecurityModule, RateLimit } from 'nestjs-agent-security';

@Controller()
class HelloController {
  @Get()
  @RateLimit('2/minute')
  hello(): string {
    return 'hello';
  }
}

@Module({ imports: [AgentSecurityModule.forRoot()], controllers: [HelloController] })
export class AppModule {}
