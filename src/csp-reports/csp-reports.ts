/* Counts of violations, for the app to look at. */
import { joinKey } from '../common/join-key.js';
import type { CspViolation } from './read-reports.js';

export interface CspReportCount {
  readonly directive: string;
  readonly blocked: string;
  readonly count: number;
}

export interface CspReportSummary {
  /** Violations since the start. */
  readonly total: number;
  /** Of those, the ones beyond `maxKinds` kinds. */
  readonly others: number;
  /** By directive and what was blocked, the most frequent first. */
  readonly top: readonly CspReportCount[];
  /** The last violations, the newest last. */
  readonly samples: readonly CspViolation[];
}

const MAX_SAMPLES = 20;

/** What the module has collected under `cspReports`. */
export class CspReports {
  readonly #counts = new Map<string, { readonly violation: CspViolation; count: number }>();
  readonly #samples: CspViolation[] = [];
  #total = 0;
  #others = 0;

  constructor(private readonly maxKinds: number) {}

  /** @param limit how many kinds to list @default 20 */
  summary(limit = 20): CspReportSummary {
    const top = [...this.#counts.values()]
      .toSorted((a, b) => b.count - a.count)
      .slice(0, limit)
      .map(({ violation: { directive, blocked }, count }) => ({ directive, blocked, count }));
    return { total: this.#total, others: this.#others, top, samples: [...this.#samples] };
  }

  /** @returns how often this kind has come; 0 where it is not counted apart */
  add(violation: CspViolation): number {
    this.#total++;
    this.#samples.push(violation);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    const kind = joinKey(violation.directive, violation.blocked);
    const known = this.#counts.get(kind);
    if (known !== undefined) return ++known.count;
    // Kinds that are counted stay: a flood of made-up ones must not push the real ones out.
    if (this.#counts.size >= this.maxKinds) {
      this.#others++;
      return 0;
    }
    this.#counts.set(kind, { violation, count: 1 });
    return 1;
  }
}
