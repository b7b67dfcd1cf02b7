import 'reflect-metadata';
import { configure } from '@codegenie/serverless-express';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const starting = NestFactory.create(AppModule, { logger: ['error'] }).then(async app => {
  await app.init();
  return configure({ app: app.getHttpAdapter().getInstance() });
});

/** An event of API Gateway (payload 2.0), as AWS Lambda calls it. */
export const handler = async (event: unknown, context: never): Promise<unknown> =>
  (await starting)(event as never, context, () => undefined);
