/* The app that `nest new` generates. `test/nest-new.spec.ts` compares it with what the command writes. */

export const MAJORS = [11, 12] as const;
export type Major = (typeof MAJORS)[number];

/** Nest 12 generates ES modules, whose imports have an extension. */
const importOf = (major: Major, name: string): string => `'./${name}${major === 12 ? '.js' : ''}'`;

/** The sources of the app, by their paths. */
export const generatedSources = (major: Major) => ({
  'src/app.controller.ts': `import { Controller, Get } from '@nestjs/common';
import { AppService } from ${importOf(major, 'app.service')};

@Controller()
export class AppController {
  constructor(private readonly appService: AppService) {}

  @Get()
  getHello(): string {
    return this.appService.getHello();
  }
}
`,
  'src/app.module.ts': `import { Module } from '@nestjs/common';
import { AppController } from ${importOf(major, 'app.controller')};
import { AppService } from ${importOf(major, 'app.service')};

@Module({
  imports: [],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`,
  'src/app.service.ts': `import { Injectable } from '@nestjs/common';

@Injectable()
export class AppService {
  getHello(): string {
    return 'Hello World!';
  }
}
`,
  'src/main.ts': `import { NestFactory } from '@nestjs/core';
import { AppModule } from ${importOf(major, 'app.module')};

async function bootstrap() {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env.PORT ?? 3000);
}
${major === 12 ? 'await ' : ''}bootstrap();
`,
});

/** The options of `tsconfig.json` that the compiler's output depends on. */
export const GENERATED_COMPILER_OPTIONS = {
  module: 'nodenext',
  moduleResolution: 'nodenext',
  esModuleInterop: true,
  isolatedModules: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  target: 'ES2023',
  skipLibCheck: true,
};
