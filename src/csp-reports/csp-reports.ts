/* Counts reported violations. Any client can invent kinds of violations: those of one address must not displace what browsers report. */
import { joinKey } from '../common/join-key.js';
import type { CspViolation } from './csp-violation.js';

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
  /** Of those, the ones of kinds that are not counted separately. */
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
 * The part of the kinds that one address may have: of the confirmed ones, and, once there is no room, of those that no other address has
 * reported.
 */
const MAX_SHARE = 1 / 10;

interface Kind {
  readonly violation: CspViolation;
  /** The first address that has reported it. */
  readonly reporter: string;
  count: number;
  /** A second address has reported it: it is not displaced any more. */
  isConfirmed: boolean;
}

/**
 * The violations of the Content Security Policy that browsers have reported. Inject it to show them, for example to operators.
 * @example
 * @Get('csp-reports')
 * @PrivateNetworkOnly()
 * reports() { return this.cspReports.summary(10); }
 */
export class CspReports {
  /** Oldest first. */
  readonly #kinds = new Map<string, Kind>();
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
   * @returns how often this kind was reported; 0 if it is not counted separately
   */
  add(violation: CspViolation, reporter: string): number {
    this.#total++;
    this.#samples.push(violation);
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
    const name = joinKey(violation.directive, violation.blocked);
    const known = this.#kinds.get(name);
    if (known !== undefined) {
      known.isConfirmed ||=
        known.reporter !== reporter && !this.#isShareFull(this.#kindsOf(known.reporter, true));
      return ++known.count;
    }
    if (this.#kinds.size >= this.maxKinds && !this.#makeRoom(reporter)) {
      this.#others++;
      return 0;
    }
    this.#kinds.set(name, { violation, reporter, count: 1, isConfirmed: false });
    return 1;
  }

  /** Removes a kind that is not confirmed: the oldest of the reporter if its share is full, else the oldest of all. */
  #makeRoom(reporter: string): boolean {
    const own = this.#kindsOf(reporter, false);
    const [oldest] = this.#isShareFull(own) ? own : [...this.#kinds].filter(([, kind]) => !kind.isConfirmed);
    if (oldest === undefined) return false;
    const [name, { count }] = oldest;
    this.#kinds.delete(name);
    this.#others += count;
    return true;
  }

  #kindsOf(reporter: string, isConfirmed: boolean): readonly [name: string, Kind][] {
    return [...this.#kinds].filter(
      ([, kind]) => kind.reporter === reporter && kind.isConfirmed === isConfirmed,
    );
  }

  #isShareFull(kinds: readonly unknown[]): boolean {
    return kinds.length >= this.maxKinds * MAX_SHARE;
  }
}
