import { transformFile } from '@swc/core';
import { build } from 'esbuild';

/* esbuild writes no metadata of decorators; SWC does. */
const decorators = {
  name: 'decorators',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const parser = { syntax: 'typescript', decorators: true };
      const transform = { legacyDecorator: true, decoratorMetadata: true };
      const { code } = await transformFile(path, { jsc: { parser, transform, target: 'es2023' } });
      return { contents: code, loader: 'js' };
    });
  },
};

/* Packages that Nest requires only if they are installed. */
const external = [
  '@nestjs/microservices',
  '@nestjs/websockets',
  '@nestjs/swagger',
  '@nestjs/platform-fastify',
];

await build({
  entryPoints: ['handler.ts'],
  outfile: 'out/handler.cjs',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  keepNames: true,
  external: [...external, 'ioredis', 'redis', '@opentelemetry/api', 'class-validator', 'class-transformer'],
  plugins: [decorators],
});
