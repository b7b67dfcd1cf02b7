import { nestAdd } from '../../src/schematics/nest-add.js';
import { MemoryTree } from '../support/schematic-tree.js';

const THROTTLED = `import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerModule, seconds } from '@nestjs/throttler';
import { AppController } from './app.controller';

@Module({
  imports: [
    ThrottlerModule.forRoot([{ ttl: seconds(60), limit: 10 }]),
    UsersModule,
  ],
  controllers: [AppController],
  providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }, AppService],
})
export class AppModule {}
`;
const REPLACED = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller';
import { AgentSecurityModule } from 'nestjs-agent-security';

@Module({
  imports: [
    UsersModule,
    AgentSecurityModule.forRoot(),
  ],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
`;

function run(module: string, others: Readonly<Record<string, string>> = {}): { text: string; log: string } {
  const tree = new MemoryTree({ '/src/app.module.ts': module, ...others });
  const lines: string[] = [];
  const logger = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
  nestAdd({ replace: true })(tree, { logger });
  return { text: tree.text('/src/app.module.ts')!, log: lines.join('\n') };
}

const removed: [title: string, before: string, after?: string][] = [
  ['forRoot and its guard', THROTTLED],
  [
    'a guard over lines',
    THROTTLED.replace(
      'providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }, AppService]',
      'providers: [\n    AppService,\n    {\n      provide: APP_GUARD,\n      useClass: ThrottlerGuard,\n    },\n  ]',
    ),
    REPLACED.replace('[AppService]', '[\n    AppService,\n  ]'),
  ],
  [
    'forRootAsync, with what it injects',
    THROTTLED.replace(
      'forRoot([{ ttl: seconds(60), limit: 10 }])',
      'forRootAsync({ inject: [ConfigService], useFactory: config => config.get(seconds(1)) })',
    ).replace('import { AppC', "import { ConfigService } from '@nestjs/config';\nimport { AppC"),
  ],
  [
    'another APP_GUARD',
    THROTTLED.replace('AppService]', '{ provide: APP_GUARD, useClass: AuthGuard }]'),
    REPLACED.replace('[AppService]', '[{ provide: APP_GUARD, useClass: AuthGuard }]').replace(
      "common';\n",
      "common';\nimport { APP_GUARD } from '@nestjs/core';\n",
    ),
  ],
  [
    'a decorator beside it',
    `${THROTTLED.replace('seconds }', 'seconds, SkipThrottle }')}\n@SkipThrottle()\nclass A {}\n`,
    `${REPLACED.replace("common';\n", "common';\nimport { SkipThrottle } from '@nestjs/throttler';\n")}\n@SkipThrottle()\nclass A {}\n`,
  ],
];
test.each(removed)('removes ThrottlerModule: %s', (_title, before, after = REPLACED) => {
  const { text, log } = run(before);
  expect(text).toBe(after);
  expect(log).toMatch(
    /^Removed from src\/app\.module\.ts:\d+, option "rateLimit" takes its settings: ThrottlerModule\.forRoot/m,
  );
  expect(log).not.toContain('by hand');
});

const added = (text: string): string =>
  text
    .replace('UsersModule,\n', 'UsersModule,\n    AgentSecurityModule.forRoot(),\n')
    .replace(
      "controller';\n",
      "controller';\nimport { AgentSecurityModule } from 'nestjs-agent-security';\n",
    );

const left: [title: string, module: string, others?: Record<string, string>][] = [
  [
    'another guard',
    THROTTLED.replace('useClass: ThrottlerGuard', 'useClass: MyThrottlerGuard').replace(
      '@Module',
      'class MyThrottlerGuard extends ThrottlerGuard {}\n@Module',
    ),
  ],
  [
    'another file guards with it',
    THROTTLED,
    {
      '/src/a.controller.ts':
        "import { ThrottlerGuard } from '@nestjs/throttler';\n@UseGuards(ThrottlerGuard)\nclass A {}\n",
    },
  ],
  [
    'a variable that nothing else would use',
    THROTTLED.replace('[{ ttl: seconds(60), limit: 10 }]', 'LIMITS').replace(
      '@Module',
      'const LIMITS = [{ ttl: seconds(60), limit: 10 }];\n@Module',
    ),
  ],
  [
    'a guard of a factory',
    THROTTLED.replace('useClass: ThrottlerGuard', 'useFactory: () => new ThrottlerGuard()'),
  ],
];
test.each(left)('leaves ThrottlerModule and names it: %s', (_title, module, others = {}) => {
  const { text, log } = run(module, others);
  expect(text).toBe(added(module));
  expect(log).toMatch(
    /^Remove manually from src\/app\.module\.ts:\d+, option "rateLimit" takes its settings: /m,
  );
});

test('a file that uses the decorators alone does not need ThrottlerModule', () => {
  const text = "import { SkipThrottle } from '@nestjs/throttler';\n@SkipThrottle()\nclass A {}\n";
  expect(run(THROTTLED, { '/src/a.controller.ts': text }).text).toBe(REPLACED);
});
