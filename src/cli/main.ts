#!/usr/bin/env node
/* `npx nestjs-agent-security keys …` */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { runKeysCommand } from './keys-command.js';

/** As the app reads them: the environment wins over `.env`. */
function readEnvironment(): NodeJS.ProcessEnv {
  try {
    return { ...parseEnv(readFileSync('.env', 'utf8')), ...process.env };
  } catch {
    return process.env;
  }
}

process.exitCode = await runKeysCommand(process.argv.slice(2), {
  env: readEnvironment(),
  nowMs: Date.now(),
  out: text => process.stdout.write(`${text}\n`),
  tell: text => process.stderr.write(`${text}\n`),
});
