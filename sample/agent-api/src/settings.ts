import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Settings {
  readonly platform: 'express' | 'fastify';
  readonly port: number;
}

export class SettingsError extends Error {}

/** What the app itself reads from the environment; the security settings are read by AgentSecurityModule. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const platform = env['PLATFORM'] || 'express';
  if (platform !== 'express' && platform !== 'fastify') {
    throw new SettingsError(`PLATFORM must be express or fastify, received "${platform}".`);
  }
  return { platform, port: readWholeNumber('PORT', env['PORT'], 3000, 65_535) };
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

/** Where calls of tools are recorded; of `.env` too, which is read later by the security module itself. */
export function auditFile(env: NodeJS.ProcessEnv): string {
  try {
    process.loadEnvFile();
  } catch {
    // There is none.
  }
  return env['AUDIT_FILE'] || join(tmpdir(), `agent-api-${process.pid}.audit.log`);
}
