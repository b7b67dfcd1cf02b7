/* The sample's dependencies are development dependencies of the package. This makes them dependencies of the package.json in the working
 * directory, so that `npm ci --omit=dev` installs them in the versions of the lock. The Dockerfile runs it. */
import { readFileSync, writeFileSync } from 'node:fs';

const IMPORTED = [
  '@modelcontextprotocol/node',
  '@modelcontextprotocol/server',
  '@nestjs/common',
  '@nestjs/config',
  '@nestjs/core',
  '@nestjs/microservices',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
  '@nestjs/swagger',
  '@rekog/mcp-nest',
  'class-validator',
  'reflect-metadata',
  'rxjs',
  'zod',
];

/** Loaded where an option or a platform needs them: ValidationPipe, Swagger UI on Fastify, REDIS_URL. */
const LOADED = ['class-transformer', '@fastify/static', 'ioredis'];

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
for (const name of [...IMPORTED, ...LOADED]) {
  manifest.dependencies[name] = manifest.devDependencies[name];
  delete manifest.devDependencies[name];
}
writeFileSync('package.json', `${JSON.stringify(manifest, null, 2)}\n`);
