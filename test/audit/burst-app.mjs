// An app whose one tool is of impact high, on a file that its parent names. Plain JavaScript, on the built package.
import 'reflect-metadata';
import { Body, Controller, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AgentSecurityModule, AgentTool } from '../../dist/index.js';

const { platform, file, key } = JSON.parse(process.argv[2]);

class BurstController {
  run({ id }) {
    return { id };
  }
}
const run = Object.getOwnPropertyDescriptor(BurstController.prototype, 'run');
Post('run')(BurstController.prototype, 'run', run);
AgentTool('run', { impact: 'high' })(BurstController.prototype, 'run', run);
Body()(BurstController.prototype, 'run', 0);
Controller()(BurstController);

class AppModule {}
Module({
  imports: [AgentSecurityModule.forRoot({ rateLimit: false, audit: { file, key, maxFileBytes: 65_536 } })],
  controllers: [BurstController],
})(AppModule);

const { [`${platform}Adapter`]: Adapter } = await import(`@nestjs/platform-${platform.toLowerCase()}`);
const app = await NestFactory.create(AppModule, new Adapter(), {
  logger: ['error', 'warn'],
  abortOnError: false,
});
app.enableShutdownHooks();
process.once('message', () => app.close().then(() => process.disconnect()));
await app.listen(0, '127.0.0.1');
process.send(app.getHttpServer().address().port);
