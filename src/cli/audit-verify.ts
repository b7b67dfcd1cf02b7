/* `nestjs-agent-security audit verify FILE`. Exit codes: 0 for a whole chain, 1 for a broken one, 2 for a usage or read error. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type ChainReport, verifyChain } from '../audit/verify-chain.js';
import type { Command } from './main.js';

const USAGE = `Usage: nestjs-agent-security audit verify FILE [--from NUMBER] [--key-file PATH]

Verifies the hash chain of an audit file: its rotated files (FILE.000000000001 and so on), the file, and its head (FILE.head).

A chain begins at line 1, and missing lines are reported. If the first files are archived elsewhere, pass the number of the first line that
must be there with --from. The key of a keyed chain comes from the environment variable AUDIT_KEY or from --key-file.
`;

export const auditVerify: Command = async (args, { env, out, err }) => {
  let hint = `\n${USAGE}`;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        from: { type: 'string' },
        'key-file': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      out(USAGE);
      return 0;
    }
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) throw new Error('Name one file.');
    const from = readNumber(values.from ?? '1');
    const keyFile = values['key-file'];
    const key =
      keyFile === undefined ? env['AUDIT_KEY'] || undefined : (await readFile(keyFile, 'utf8')).trim();
    hint = '';
    const report = await verifyChain(path, key, from);
    out(describe(report));
    return report.faults.length === 0 ? 0 : 1;
  } catch (error) {
    err(`${(error as Error).message}\n${hint}`);
    return 2;
  }
};

function readNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new Error(`--from must be the number of a line, received ${JSON.stringify(text.slice(0, 40))}.`);
}

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
