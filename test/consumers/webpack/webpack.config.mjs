import { resolve } from 'node:path';

/* Packages that are loaded only if they are installed. */
const optional =
  /^(?:@nestjs\/(?:config|microservices|websockets|swagger|platform-fastify)|@opentelemetry\/api|ioredis|redis|class-validator|class-transformer)(?:\/|$)/;

export default {
  mode: 'production',
  stats: 'errors-only',
  target: 'node',
  entry: './main.ts',
  output: { path: resolve('out'), filename: 'main.cjs' },
  resolve: { extensions: ['.ts', '.js'], extensionAlias: { '.js': ['.ts', '.js'] } },
  // The names of classes stay.
  optimization: { minimize: false },
  externals: [({ request }, done) => (optional.test(request) ? done(null, `commonjs ${request}`) : done())],
  module: {
    rules: [
      {
        test: /\.ts$/,
        loader: 'swc-loader',
        options: {
          jsc: {
            parser: { syntax: 'typescript', decorators: true },
            transform: { legacyDecorator: true, decoratorMetadata: true },
            target: 'es2023',
          },
        },
      },
    ],
  },
};
