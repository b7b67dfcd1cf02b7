import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AppModule } from './app.module.js';
import assertProtected from './check.cjs';

let app: INestApplication;
beforeAll(async () => {
  const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
  app = testing.createNestApplication();
  await app.listen(0, '127.0.0.1');
});
afterAll(() => app.close());

test('the app is protected', () => assertProtected(app.getHttpServer().address().port));
