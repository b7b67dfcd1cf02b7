/* The command `scan`: tests a running deployment from outside. Exit codes: 0 for a clean one, 1 for findings, 2 where it could not be
 * scanned. */
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { type CheckSeverity, SEVERITIES, type ShownReport } from '../check/finding.js';
import { FORMATS } from '../check/formats/formats.js';
import { printJson } from '../check/formats/json.js';
import { readPackageFacts } from '../check/package-facts.js';
import { fails } from '../check/run-checks.js';
import { SCAN_BOUNDS } from '../scan/client.js';
import { compareScans, formatComparison, readScanFile, type ScanFile } from '../scan/compare.js';
import { observe, type ScanPlan, type ScanTools } from '../scan/scan.js';
import { reportScan } from '../scan/scan-report.js';
import { readTargetUrl, ScanError } from '../scan/target.js';
import type { Command, CommandIo } from './main.js';
import { choose, CommandError, readArgs, showFailure, UsageError } from './usage.js';

const USAGE = `Usage: nestjs-agent-security scan URL [--mcp PATH]
       nestjs-agent-security scan URL --compare BEFORE.json
       nestjs-agent-security scan --compare BEFORE.json AFTER.json

Sends known attacks to a running app, at most ${SCAN_BOUNDS.maxRequests} requests, and grades it from A+ to F.

  --mcp PATH             the path of an MCP endpoint, such as /mcp
  --i-own-this-host      scans a host beyond this machine
  --format NAME          ${[...FORMATS.keys()].join(', ')}; of a comparison: text, json
  --fail-level LEVEL     the lowest severity that fails: ${SEVERITIES.join(', ')}; warning by default
  --silence ID=REASON    accepts a finding; may be repeated
  --compare FILE         shows what changed since a report of --format json
`;

const OPTIONS = {
  mcp: { type: 'string' },
  'i-own-this-host': { type: 'boolean', default: false },
  format: { type: 'string', default: 'text' },
  'fail-level': { type: 'string', default: 'warning' },
  silence: { type: 'string', multiple: true },
  compare: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface Plan {
  /** `undefined` for a comparison of two files. */
  readonly scan: ScanPlan | undefined;
  readonly files: readonly string[];
  readonly level: CheckSeverity;
  readonly format: string;
  readonly silence: ReadonlyMap<string, string>;
}

const TOOLS: ScanTools = {
  bounds: SCAN_BOUNDS,
  clock: { now: Date.now, wait: ms => wait(ms) },
};

/** @param tools bounds and the clock, which tests replace */
export const runScanCommand = async (
  args: readonly string[],
  io: CommandIo,
  tools: ScanTools = TOOLS,
): Promise<number> => {
  try {
    const plan = readPlan(args);
    if (plan === undefined) {
      io.out(USAGE);
      return 0;
    }
    return await execute(plan, io, tools);
  } catch (error) {
    const shown = error instanceof ScanError ? new CommandError(error.message) : error;
    return showFailure(shown, io, USAGE, 'The scan failed.');
  }
};

export const scanCommand: Command = (args, io) => runScanCommand(args, io);

function readPlan(args: readonly string[]): Plan | undefined {
  const { values, positionals } = readArgs({
    args: [...args],
    options: OPTIONS,
    allowPositionals: true,
  });
  if (values.help === true) return undefined;
  const { mcp, format, compare } = values;
  const isScan = compare === undefined || /^https?:/.test(positionals[0] ?? '');
  if (positionals.length !== 1) throw new UsageError(isScan ? 'Give one URL.' : 'Give two reports.');
  if (mcp !== undefined && !/^\/[!-~]*$/.test(mcp))
    throw new UsageError('--mcp must be a path, such as /mcp.');
  return {
    scan: isScan
      ? { url: readTargetUrl(positionals[0]!), isOwned: values['i-own-this-host'], mcp }
      : undefined,
    files: compare === undefined ? [] : isScan ? [compare] : [compare, positionals[0]!],
    level: choose('--fail-level', values['fail-level'], SEVERITIES),
    format: choose('--format', format, compare === undefined ? [...FORMATS.keys()] : ['text', 'json']),
    silence: new Map((values.silence ?? []).map(readSilence)),
  };
}

function readSilence(text: string): readonly [id: string, reason: string] {
  const at = text.indexOf('=');
  const [id, reason] = [text.slice(0, at), text.slice(at + 1).trim()];
  if (!/^ASEC-S\d{3}$/.test(id) || reason === '')
    throw new UsageError('--silence must be an ID and a reason: ASEC-S102="No public API."');
  return [id, reason];
}

async function execute(plan: Plan, io: CommandIo, tools: ScanTools): Promise<number> {
  const files = await Promise.all(plan.files.map(readReport));
  const [report, isCut] =
    plan.scan === undefined ? [undefined, false] : await scan(plan.scan, plan.silence, tools);
  const last = report === undefined ? files.at(-1)! : { ...report, scan: report.scan! };
  if (files.length > 0) {
    const comparison = compareScans(files[0]!, last);
    io.out(plan.format === 'json' ? printJson(comparison) : formatComparison(comparison));
  } else io.out(FORMATS.get(plan.format)!(report!, report!.scan!.target));
  // A scan that was cut short proves nothing.
  return fails(last.findings, plan.level) ? 1 : isCut ? 2 : 0;
}

async function scan(
  plan: ScanPlan,
  silence: ReadonlyMap<string, string>,
  tools: ScanTools,
): Promise<readonly [ShownReport, boolean]> {
  const { docsBase, versions } = readPackageFacts(process.cwd(), undefined);
  const observed = await observe(plan, tools);
  return [{ ...reportScan(observed, silence, docsBase), versions }, observed.isCut];
}

async function readReport(path: string): Promise<ScanFile> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new UsageError(error.message);
  });
  const file = readScanFile(text);
  if (file === undefined) throw new UsageError(`${path} is no report of scan --format json.`);
  return file;
}
