#!/usr/bin/env node
/* `npx nestjs-agent-security <group> <command> …` */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { auditVerify } from './audit-verify.js';
import { runKeysCommand } from './keys-command.js';

/** The environment and the output streams of a command, which tests replace. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
}

/** @returns the exit status: 0 for success, 1 for a failure, 2 for wrong usage */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>;

const GROUPS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['keys', (args, io) => runKeysCommand(['keys', ...args], { ...io, nowMs: Date.now() })],
  ['audit', ([command, ...rest], io) => (command === 'verify' ? auditVerify(rest, io) : usage())],
  // Loaded on demand: the other commands need none of it.
  ['check', async (args, io) => (await import('./check-command.js')).checkCommand(args, io)],
  ['doctor', async (args, io) => (await import('./check-command.js')).doctorCommand(args, io)],
  ['scan', async (args, io) => (await import('./scan-command.js')).scanCommand(args, io)],
]);

/** Groups that load an app, whose timers and connections may outlive it. */
const APP_GROUPS: ReadonlySet<string> = new Set(['check', 'doctor']);

/** The environment takes precedence over `.env` of the directory, where an operator keeps the app's variables. */
function readEnvironment(): NodeJS.ProcessEnv {
  try {
    return { ...parseEnv(readFileSync('.env', 'utf8')), ...process.env };
  } catch {
    return process.env;
  }
}

async function usage(): Promise<number> {
  process.stderr.write(
    'Usage:\n  nestjs-agent-security keys create|list|rotate|revoke|disable|enable\n  nestjs-agent-security audit verify\n  nestjs-agent-security check\n  nestjs-agent-security doctor\n  nestjs-agent-security scan\n',
  );
  return 2;
}

const [group = '', ...rest] = process.argv.slice(2);
let isDone = false;
// An app that ends the process while it is loaded was not checked.
process.on('exit', () => {
  if (isDone) return;
  process.exitCode = 2;
  process.stderr.write('The app ended the process, so that it was not checked.\n');
});
process.exitCode = await (GROUPS.get(group) ?? usage)(rest, {
  env: readEnvironment(),
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
});
isDone = true;
// The callback runs when a pipe has taken the whole report.
if (APP_GROUPS.has(group)) process.stdout.write('', () => process.exit());
