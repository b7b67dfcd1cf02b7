import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Settings {
  readonly platform: 'express' | 'fastify';
  readonly port: number;
  /** The address to listen on. */
  readonly address: string;
}

export class SettingsError extends Error {}

/** What the app itself reads from the environment; the security settings are read by AgentSecurityModule. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const platform = env['PLATFORM'] || 'express';
  if (platform !== 'express' && platform !== 'fastify') {
    throw new SettingsError(`PLATFORM must be express or fastify, received "${platform}".`);
  }
  const port = readWholeNumber('PORT', env['PORT'], 3000, 65_535);
  return { platform, port, address: env['LISTEN_ADDRESS'] || '127.0.0.1' };
}

export function readWholeNumber(
  name: string,
  text: string | undefined,
  fallback: number,
  max: number,
): number {
  if (!text) return fallback;
  if (!/^\d{1,9}$/.test(text) || Number(text) > max) {
    throw new SettingsError(`${name} must be a whole number from 0 to ${max}, received "${text}".`);
  }
  return Number(text);
}

/** The URL under which clients reach the app: tokens name it as their issuer. Behind a proxy it is the proxy's. */
export function publicUrl(env: NodeJS.ProcessEnv): string {
  return env['PUBLIC_URL'] || `http://127.0.0.1:${readSettings(env).port}`;
}

/** A port that is free now, for PORT=0: the issuer of tokens is known before the app listens. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Where calls of tools are recorded. */
export function auditFile(env: NodeJS.ProcessEnv): string {
  return env['AUDIT_FILE'] || join(tmpdir(), `agent-api-${process.pid}.audit.log`);
}
