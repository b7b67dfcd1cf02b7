/* Scans for tests: without the waits of a polite scan, and with the clock of the app. */
import type { CheckFinding, ScanGrades } from '../../src/check/finding.js';
import { runScanCommand } from '../../src/cli/scan-command.js';
import { SCAN_BOUNDS, type ScanBounds } from '../../src/scan/client.js';
import type { ManualClock } from './clock.js';

export interface ScanRun {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export interface ScanSettings {
  readonly bounds?: Partial<ScanBounds>;
  /** Advanced by what the scan waits. */
  readonly clock?: ManualClock;
  readonly ca?: string;
}

export async function runScan(
  args: readonly string[],
  { bounds, clock, ca }: ScanSettings = {},
): Promise<ScanRun> {
  const [out, err]: [string[], string[]] = [[], []];
  const io = {
    env: {},
    out: (text: string) => void out.push(text),
    err: (text: string) => void err.push(text),
  };
  let nowMs = Date.now();
  const status = await runScanCommand(args, io, {
    bounds: { ...SCAN_BOUNDS, ...bounds },
    clock: {
      now: () => nowMs,
      wait: async ms => {
        nowMs += ms;
        clock?.advance(ms);
      },
    },
    ...(ca === undefined ? {} : { ca }),
  });
  return { status, out: out.join(''), err: err.join('') };
}

export interface ScanJson {
  readonly scan: ScanGrades;
  readonly findings: readonly CheckFinding[];
  readonly notes: readonly string[];
}

export async function scanJson(url: string, settings?: ScanSettings, ...more: string[]): Promise<ScanJson> {
  const { out, err } = await runScan([url, '--format', 'json', ...more], settings);
  if (out === '') throw new Error(err);
  return JSON.parse(out);
}

/** Each ID once. */
export const idsIn = ({ findings }: ScanJson): string[] =>
  [...new Set(findings.map(({ id }) => id))].toSorted();

export const gradesIn = ({ scan }: ScanJson): Record<string, string> =>
  Object.fromEntries(scan.sections.map(({ section, grade }) => [section, grade]));
