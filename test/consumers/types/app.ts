import { Controller, Get, Module } from '@nestjs/common';
import {
  AgentSecurityConfigError,
  AgentSecurityModule,
  type AgentSecurityOptions,
  RateLimit,
  RateLimiter,
  RateLimitGuard,
  RequestId,
} from 'nestjs-agent-security';
import { RedisQuotaStore, type RedisQuotaStoreOptions } from 'nestjs-agent-security/redis';

export const options: AgentSecurityOptions = {
  hosts: ['api.example.com'],
  rateLimit: { limits: '5/minute' },
};
// @ts-expect-error no such option
export const wrong: AgentSecurityOptions = { rateLimits: '5/minute' };
export const store = (options: RedisQuotaStoreOptions): RedisQuotaStore => new RedisQuotaStore(options);
export const isMistake = (error: unknown): boolean => error instanceof AgentSecurityConfigError;

export class TenantGuard extends RateLimitGuard {
  protected override async getTracker(request: Record<string, unknown>): Promise<string> {
    return String(request['tenant']);
  }
}

@Controller()
export class HelloController {
  constructor(private readonly limiter: RateLimiter) {}

  @Get()
  @RateLimit('2/minute')
  async hello(@RequestId() id: string): Promise<boolean> {
    return (await this.limiter.consume('5/minute', id)).granted;
  }
}

@Module({ imports: [AgentSecurityModule.forRoot(options)], controllers: [HelloController] })
export class AppModule {}
