/* Counts reported violations. Any client can report, and invent kinds of violations: what one address invents must not displace what
 * browsers report. */
import { joinKey } from '../common/join-key.js';
import type { CspViolation } from './read-reports.js';

/**
 * How often one kind of violation was reported.
 * @example
 * const kind: CspReportCount = { directive: 'script-src-elem', blocked: 'https://cdn.example.com', count: 12 };
 */
export interface CspReportCount {
  readonly directive: string;
  readonly blocked: string;
  readonly count: number;
}

/**
 * What `CspReports.summary()` returns.
 * @example
 * const { total, top }: CspReportSummary = cspReports.summary();
 */
export interface CspReportSummary {
  /** Violations since the start. */
  readonly total: number;
  /** Of those, the ones of kinds that are not counted apart. */
  readonly others: number;
  /** By directive and what was blocked, the most frequent first. */
  readonly top: readonly CspReportCount[];
  /** The last violations, the newest last. */
  readonly samples: readonly CspViolation[];
}

/** About 600 bytes each; the policies of an app have far fewer. */
const MAX_KINDS = 200;
const MAX_SAMPLES = 20;

/**
 * The share of the kinds that one address may bring: of those that are kept because others report them too, and, once all places are
 * taken, of those that no other address has reported.
 */
const MAX_SHARE = 1 / 10;

interface Kind {
  readonly violation: CspViolation;
  /** Who has reported it first. */
  readonly reporter: string;
  count: number;
}

/**
 * The violations of the Content Security Policy that browsers have reported. Inject it to show them, for example to operators.
 * @example
 * @Get('csp-reports')
 * @PrivateNetworkOnly()
 * reports() { return this.cspReports.summary(10); }
 */
export class CspReports {
  readonly #kinds = new Map<string, Kind>();
  /** The kinds that give way, oldest first, and the same by reporter: one address alone has reported them. */
  readonly #unconfirmed = new Set<string>();
  readonly #byReporter = new Map<string, Set<string>>();
  /** How many of the kinds that stay each address has brought. */
  readonly #confirmed = new Map<string, number>();
  readonly #samples: CspViolation[] = [];
  #total = 0;
  #others = 0;

  constructor(private readonly maxKinds = MAX_KINDS) {}

  /** @param limit how many kinds to list @default 20 */
  summary(limit = 20): CspReportSummary {
    const top = [...this.#kinds.values()]
      .toSorted((a, b) => b.count - a.count)
      .slice(0, limit)
      .map(({ violation: { directive, blocked }, count }) => ({ directive, blocked, count }));
    return { total: this.#total, others: this.#others, top, samples: [...this.#samples] };
  }

  /**
   * @param reporter the address that has sent it
   * @returns how often this kind has come; 0 where it is not counted apart
   */
  add(violation: CspViolation, reporter: string): number {
    this.#total++;
    this.#samples.push(violation);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    const name = joinKey(violation.directive, violation.blocked);
    const known = this.#kinds.get(name);
    if (known !== undefined) {
      if (known.reporter !== reporter) this.#confirm(name, known.reporter);
      return ++known.count;
    }
    if (this.#kinds.size >= this.maxKinds && !this.#makeRoom(reporter)) {
      this.#others++;
      return 0;
    }
    this.#kinds.set(name, { violation, reporter, count: 1 });
    this.#unconfirmed.add(name);
    const own = this.#byReporter.get(reporter);
    if (own === undefined) this.#byReporter.set(reporter, new Set([name]));
    else own.add(name);
    return 1;
  }

  /** Takes away a kind that one address alone has reported: one of the newcomer's own if it has brought many, else the oldest. */
  #makeRoom(reporter: string): boolean {
    const own = this.#byReporter.get(reporter);
    const isOwn = own !== undefined && own.size >= this.maxKinds * MAX_SHARE;
    const [name] = isOwn ? own : this.#unconfirmed;
    if (name === undefined) return false;
    const kind = this.#kinds.get(name)!;
    this.#release(name, kind.reporter);
    this.#kinds.delete(name);
    this.#others += kind.count;
    return true;
  }

  /** A second address has reported the kind: it stays. */
  #confirm(name: string, reporter: string): void {
    const confirmed = this.#confirmed.get(reporter) ?? 0;
    if (!this.#unconfirmed.has(name) || confirmed >= this.maxKinds * MAX_SHARE) return;
    this.#confirmed.set(reporter, confirmed + 1);
    this.#release(name, reporter);
  }

  #release(name: string, reporter: string): void {
    this.#unconfirmed.delete(name);
    const own = this.#byReporter.get(reporter)!;
    own.delete(name);
    if (own.size === 0) this.#byReporter.delete(reporter);
  }
}
