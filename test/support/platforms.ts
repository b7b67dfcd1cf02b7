import { type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

export type PlatformName = 'Express' | 'Fastify';
/** How the app is made: as `main.ts` does it, or as a user's own tests do. */
export type StartMode = 'NestFactory' | 'Testing';

export interface Platform {
  readonly name: PlatformName;
  readonly mode: StartMode;
  createAdapter(): AbstractHttpAdapter;
}

export type PlatformRow = readonly [title: string, platform: Platform];

const ADAPTERS: Readonly<Record<PlatformName, () => AbstractHttpAdapter>> = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
};

function row(name: PlatformName, mode: StartMode, title: string): PlatformRow {
  return [title, { name, mode, createAdapter: ADAPTERS[name] }];
}

/** {Express, Fastify}, for `describe.each(PLATFORMS)('%s', (_title, platform) => …)`. */
export const PLATFORMS: readonly PlatformRow[] = [
  row('Express', 'NestFactory', 'Express'),
  row('Fastify', 'NestFactory', 'Fastify'),
];

/** {Express, Fastify} × {NestFactory, Testing}, for what depends on when providers are constructed. */
export const PLATFORMS_AND_MODES: readonly PlatformRow[] = [
  row('Express', 'NestFactory', 'Express by NestFactory'),
  row('Fastify', 'NestFactory', 'Fastify by NestFactory'),
  row('Express', 'Testing', 'Express by Testing'),
  row('Fastify', 'Testing', 'Fastify by Testing'),
];

export const EXPRESS: Platform = PLATFORMS[0]![1];
export const FASTIFY: Platform = PLATFORMS[1]![1];
