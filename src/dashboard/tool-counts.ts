/* Calls of tools in the last hour, in windows of ten minutes. */
import type { AuditRecord } from '../audit/audit-record.js';
import { OTHER } from './bounded-counts.js';
import { dropAhead, isAhead } from './minute-counts.js';

export interface ToolRow {
  readonly tool: string;
  /** `undefined` for a tool that has only been rejected. */
  readonly impact?: string | undefined;
  /** Calls that have run. */
  readonly calls: number;
  /** Of those, the ones that have failed. */
  readonly failures: number;
  readonly rejections: number;
}

interface Tool {
  impact: string | undefined;
  calls: number;
  failures: number;
  rejections: number;
}

interface Window {
  readonly startMs: number;
  readonly tools: Map<string, Tool>;
}

const WINDOW_MS = 600_000;
const WINDOWS = 6;
/** Clients can call tools by invented names. */
const MAX_TOOLS = 100;
const MAX_NAME = 128;

export class ToolCounts {
  /** Oldest first. */
  readonly #windows: Window[] = [];

  /** Counts the end of a call. */
  add({ event, tool, impact, outcome }: AuditRecord, epochMs: number): void {
    if (tool === undefined || (event !== 'finished' && event !== 'rejected')) return;
    const counted = this.#find(tool, epochMs, event === 'finished' && outcome === 'ok');
    counted.impact ??= impact;
    if (event === 'rejected') counted.rejections++;
    else {
      counted.calls++;
      if (outcome !== 'ok') counted.failures++;
    }
  }

  /** Counts a rejection without an audit record of its own. */
  addRejection(tool: string, epochMs: number): void {
    this.#find(tool, epochMs).rejections++;
  }

  list(epochMs: number): readonly ToolRow[] {
    const windows = this.#windows.filter(
      window => window.startMs > epochMs - WINDOWS * WINDOW_MS && !isAhead(window, WINDOW_MS, epochMs),
    );
    return mergeTools(windows.map(({ tools }) => [...tools].map(([tool, counts]) => ({ tool, ...counts }))));
  }

  #find(tool: string, epochMs: number, hasSucceeded = false): Tool {
    dropAhead(this.#windows, WINDOW_MS, epochMs);
    let window = this.#windows.at(-1);
    if (window === undefined || epochMs >= window.startMs + WINDOW_MS) {
      this.#windows.push((window = { startMs: epochMs - (epochMs % WINDOW_MS), tools: new Map() }));
      if (this.#windows.length > WINDOWS) this.#windows.shift();
    }
    const { tools } = window;
    const short = tool.slice(0, MAX_NAME);
    if (tools.has(short) || tools.size < MAX_TOOLS) return countsOf(tools, short);
    const rest = countsOf(tools, OTHER);
    return hasSucceeded && makeRoom(tools, rest) ? countsOf(tools, short) : rest;
  }
}

function countsOf(tools: Map<string, Tool>, name: string): Tool {
  let counts = tools.get(name);
  if (counts === undefined)
    tools.set(name, (counts = { impact: undefined, calls: 0, failures: 0, rejections: 0 }));
  return counts;
}

/** Moves the counts of a name that has never succeeded, which a client may have invented, to those of the rest. */
function makeRoom(tools: Map<string, Tool>, rest: Tool): boolean {
  for (const [name, { calls, failures, rejections }] of tools) {
    if (name === OTHER || calls > failures) continue;
    tools.delete(name);
    rest.calls += calls;
    rest.failures += failures;
    rest.rejections += rejections;
    return true;
  }
  return false;
}

/** The sum of several lists, the most called first. */
export function mergeTools(lists: readonly (readonly ToolRow[])[]): readonly ToolRow[] {
  const sums = new Map<string, ToolRow>();
  for (const row of lists.flat()) {
    const sum = sums.get(row.tool);
    sums.set(row.tool, {
      tool: row.tool,
      impact: sum?.impact ?? row.impact,
      calls: (sum?.calls ?? 0) + row.calls,
      failures: (sum?.failures ?? 0) + row.failures,
      rejections: (sum?.rejections ?? 0) + row.rejections,
    });
  }
  return [...sums.values()]
    .toSorted((a, b) => b.calls - a.calls || b.rejections - a.rejections)
    .slice(0, MAX_TOOLS);
}
