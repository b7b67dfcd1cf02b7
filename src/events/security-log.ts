/* Logs security events: the first of a kind and a client within a minute as a line, all others as a number. Neither clients nor reasons
 * can fill the log or the memory: a kind has a bounded number of lines, and only what was logged is remembered. */
import type { Clock, Timers } from '../common/clock.js';
import { logLine } from '../common/log-text.js';
import { LEVELS, type Level, levelOf } from './event-levels.js';
import type { ResolvedLogging } from './logging.options.js';
import type { SecurityEvent } from './security-events.js';

const WINDOW_MS = 60_000;
/** The lines of one kind within a window, so that a flood of one kind does not hide another. */
const MAX_LINES = 20;
/** Kinds are codes, and an app may have many of its own. */
const MAX_KINDS = 100;

type LevelLog = Readonly<Record<Level, (line: string) => void>>;

interface Kind {
  /** The clients and reasons that have a line. */
  readonly logged: Set<string>;
  omitted: number;
}

export class SecurityLog {
  readonly #minimum: number;
  #kinds = new Map<string, Kind>();
  #endMs = -Infinity;
  #timer: unknown;

  constructor(
    private readonly log: LevelLog,
    level: ResolvedLogging['level'],
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {
    this.#minimum = level === 'none' ? LEVELS.length : LEVELS.indexOf(level);
  }

  readonly write = (event: SecurityEvent): void => {
    const level = levelOf(event);
    if (level === undefined || LEVELS.indexOf(level) < this.#minimum) return;
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= this.#endMs) {
      this.#summarize();
      this.#endMs = nowMs + WINDOW_MS;
    }
    const kind = this.#kindOf(event);
    const subject = subjectOf(event, kind);
    if (kind.logged.has(subject) || kind.logged.size >= MAX_LINES) {
      kind.omitted++;
      this.#timer ??= this.timers.start(this.#endMs - nowMs, () => this.#summarize());
      return;
    }
    kind.logged.add(subject);
    this.log[level](describeEvent(event));
  };

  /** Logs what was counted, before the app ends. */
  close(): void {
    this.#summarize();
  }

  #kindOf(event: SecurityEvent): Kind {
    const name = event.type === 'request.rejected' ? event.code : event.type;
    const known = this.#kinds.get(name);
    if (known !== undefined) return known;
    if (this.#kinds.size >= MAX_KINDS) return this.#kinds.get(OTHER) ?? this.#addKind(OTHER);
    return this.#addKind(name);
  }

  #addKind(name: string): Kind {
    const kind: Kind = { logged: new Set(), omitted: 0 };
    this.#kinds.set(name, kind);
    return kind;
  }

  /** Ends the window. */
  #summarize(): void {
    if (this.#timer !== undefined) this.timers.stop(this.#timer);
    this.#timer = undefined;
    this.#endMs = -Infinity;
    const counts = [...this.#kinds].flatMap(([name, { omitted }]) =>
      omitted > 0 ? `${name}=${omitted}` : [],
    );
    this.#kinds = new Map();
    if (counts.length > 0)
      this.log.warn(
        logLine`Further security events in the last minute, not logged one by one: ${counts.join(' ')}`,
      );
  }
}

const OTHER = 'other';

/** What has one line in a window: of rejections, a client with a reason. Other events are emitted once per window and client anyway. */
function subjectOf(event: SecurityEvent, { logged }: Kind): string {
  if (event.type !== 'request.rejected') return String(logged.size);
  const { agent, address = '', reason = '' } = event;
  return `${agent ?? address} ${reason}`;
}

/** A line has about ten values. */
const MAX_VALUE_LENGTH = 200;
/** The members that a line shows in another place, or not at all. */
const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(['type', 'timeMs', 'status', 'code', 'remedy']);

/** One line: `Rejected 403 origin_not_allowed: reason=not-listed received=https://evil.example address=203.0.113.7 …`. */
function describeEvent(event: SecurityEvent): string {
  const members = Object.entries(event)
    .filter(([name, value]) => value !== undefined && !SHOWN_ELSEWHERE.has(name))
    .map(([name, value]) => `${name}=${showValue(value)}`)
    .join(' ');
  if (event.type !== 'request.rejected') return logLine`Security event ${event.type}: ${members}`;
  const remedy = event.remedy === undefined ? '' : `. ${event.remedy}`;
  return logLine`Rejected ${event.status} ${event.code}: ${members}${remedy}`;
}

/** Quotes what could be taken for another member. */
function showValue(value: unknown): string {
  const text = String(value).slice(0, MAX_VALUE_LENGTH);
  return /^[\w.:/@+[\]*-]+$/.test(text) ? text : JSON.stringify(text);
}
