#!/usr/bin/env node
/* `nestjs-agent-security <group> <command> …` */
import { auditVerify } from './audit-verify.js';
import type { Command } from './command.js';

const COMMANDS: ReadonlyMap<string, Command> = new Map([['audit verify', auditVerify]]);

const [group = '', command = '', ...rest] = process.argv.slice(2);
const found = COMMANDS.get(`${group} ${command}`);
if (found === undefined) {
  const known = [...COMMANDS.keys()].map(name => `  nestjs-agent-security ${name}`).join('\n');
  process.stderr.write(`Commands:\n${known}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await found(rest, {
    env: process.env,
    out: text => process.stdout.write(text),
    err: text => process.stderr.write(text),
  });
}
