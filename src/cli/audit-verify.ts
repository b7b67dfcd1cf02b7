/* `nestjs-agent-security audit verify FILE`: 0 for a chain that is whole, 1 for one that is not, 2 for a command that is none. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type ChainReport, verifyChain } from '../audit/verify-chain.js';
import type { Command } from './command.js';

const USAGE = `Usage: nestjs-agent-security audit verify FILE [--key-file PATH]

Verifies the chain of an audit file, behind the files that were set aside from it (FILE.000000000001 and so on) and against its head
(FILE.head). The key of a keyed chain is read from the environment variable AUDIT_KEY, or from a file.
`;

export const auditVerify: Command = async (args, { env, out, err }) => {
  let path: string | undefined;
  let key: string | undefined;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { 'key-file': { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) {
      out(USAGE);
      return 0;
    }
    if (positionals.length !== 1) throw new Error('One file is to be named.');
    [path] = positionals as [string];
    const keyFile = values['key-file'];
    key = keyFile === undefined ? env['AUDIT_KEY'] || undefined : (await readFile(keyFile, 'utf8')).trim();
  } catch (error) {
    err(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  let report: ChainReport;
  try {
    report = await verifyChain(path, key);
  } catch (error) {
    err(`${(error as Error).message}\n`);
    return 2;
  }
  out(describe(report));
  return report.faults.length === 0 ? 0 : 1;
};

function describe({ files, lines, first, last, hash, faults, notes }: ChainReport): string {
  const range = first === undefined ? '' : `, numbers ${first} to ${last}`;
  return [
    ...faults.map(({ kind, text }) => `FAULT ${kind}: ${text}`),
    ...notes.map(note => `Note: ${note}`),
    `${faults.length === 0 ? 'The chain is whole' : 'The chain is broken'}: ${lines} whole lines in ${files.length} file(s)${range}.`,
    ...(hash === undefined ? [] : [`Last hash: ${hash}`]),
    '',
  ].join('\n');
}
