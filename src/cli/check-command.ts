/* The commands `check` and `doctor`: one report of the app's module, shown in two ways. Exit codes: 0 for a clean app, 1 for findings, 2 where
 * the app could not be checked. */
import { FORMATS } from '../check/formats/formats.js';
import { SEVERITIES, type CheckReport, type CheckSeverity } from '../check/finding.js';
import { configErrorReport } from '../check/config-error-report.js';
import { diagnose, formatDiagnosis } from '../check/doctor.js';
import { fails } from '../check/run-checks.js';
import { checkLoadedApp } from './load-app.js';
import type { Command, CommandIo } from './main.js';
import { npmAudit, type NpmAudit } from './npm-audit.js';
import { choose, readArgs, showFailure } from './usage.js';

const USAGE = `Usage: nestjs-agent-security check [--deploy] [--module dist/app.module.js]
       nestjs-agent-security doctor [--module dist/app.module.js]

check reports risky settings of the app, doctor its options with their sources, conflicts and versions. Both load the app's root module and
run its start-up without listening.

  --module FILE       the built root module; dist/app.module.js by default
  --export NAME       its export, if that is not AppModule, the default or the only class
  --platform NAME     express or fastify; by default the one that is installed
  --format NAME       check: ${[...FORMATS.keys()].join(', ')}; doctor: text, json
  --deploy            check: also what matters in a deployment
  --fail-level LEVEL  check: the lowest severity that fails: ${SEVERITIES.join(', ')}; warning by default
`;

const OPTIONS = {
  module: { type: 'string', default: 'dist/app.module.js' },
  export: { type: 'string' },
  platform: { type: 'string' },
  format: { type: 'string', default: 'text' },
  deploy: { type: 'boolean', default: false },
  'fail-level': { type: 'string', default: 'warning' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface Plan {
  readonly module: string;
  readonly exportName: string | undefined;
  readonly platform: string | undefined;
  readonly deploy: boolean;
  readonly level: CheckSeverity;
  readonly format: string;
}

export const checkCommand: Command = (args, io) =>
  run(args, [...FORMATS.keys()], io, async plan => {
    const audit = plan.deploy ? await npmAudit() : {};
    const report = await readReport(plan, audit);
    io.out(FORMATS.get(plan.format)!(report, plan.module));
    return fails(report.findings, plan.level);
  });

export const doctorCommand: Command = (args, io) =>
  run(args, ['text', 'json'], io, async plan => {
    const diagnosis = diagnose(await readReport(plan, {}));
    io.out(plan.format === 'json' ? `${JSON.stringify(diagnosis, null, 2)}\n` : formatDiagnosis(diagnosis));
    return diagnosis.problems.length > 0;
  });

/** @param execute whether there are findings */
async function run(
  args: readonly string[],
  formats: readonly string[],
  io: CommandIo,
  execute: (plan: Plan) => Promise<boolean>,
): Promise<number> {
  try {
    const plan = readPlan(args, formats);
    if (plan !== undefined) return (await execute(plan)) ? 1 : 0;
    io.out(USAGE);
    return 0;
  } catch (error) {
    return showFailure(error, io, USAGE, 'The app could not be checked.');
  }
}

function readPlan(args: readonly string[], formats: readonly string[]): Plan | undefined {
  const { values } = readArgs({ args: [...args], options: OPTIONS });
  if (values.help === true) return undefined;
  const { module, export: exportName, platform, deploy, format, 'fail-level': level } = values;
  if (platform !== undefined) choose('--platform', platform, ['express', 'fastify']);
  return {
    module,
    exportName,
    platform,
    deploy,
    level: choose('--fail-level', level, SEVERITIES),
    format: choose('--format', format, formats),
  };
}

/** A mistake that stops the start-up is a finding as well. */
async function readReport(plan: Plan, { vulnerable, note }: NpmAudit): Promise<CheckReport> {
  try {
    const report = await checkLoadedApp(plan, {
      deploy: plan.deploy,
      ...(vulnerable === undefined ? {} : { vulnerable }),
    });
    return note === undefined ? report : { ...report, notes: [...report.notes, note] };
  } catch (error) {
    const report = configErrorReport(error, process.cwd());
    if (report === undefined) throw error;
    return report;
  }
}
