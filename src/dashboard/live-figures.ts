/* The figures of all processes, and their way to the viewers: at most one event a second, computed once for all of them. Processes share
 * their figures through the store of limits; while it fails, or without one, viewers see those of this process. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Clock, Timers } from '../common/clock.js';
import type { QuotaEngine } from '../limiter/quota-engine.js';
import type { FigureLists, Figures } from './figures.js';
import type { Health, HealthRow } from './health.js';
import { mergeFigures, type SharedFigures } from './merge-figures.js';
import { readSharedFigures } from './read-shared-figures.js';
import { type MayStay, Viewers } from './viewers.js';

/** What the page shows. */
export interface Snapshot extends FigureLists {
  readonly timeMs: number;
  /** How many processes it is of. */
  readonly processes: number;
  /** `off`: this process has no store to share figures through. */
  readonly sharing: 'off' | 'on' | 'failing';
  readonly health: readonly HealthRow[];
}

interface LiveParts {
  readonly figures: Pick<Figures, 'lists'>;
  readonly health: Pick<Health, 'ask' | 'rows'>;
  readonly engine: Pick<QuotaEngine, 'canShare' | 'share'>;
  readonly clock: Clock;
  readonly timers: Timers;
}

const TICK_MS = 1_000;
/** How often figures are shared while nobody looks at this process: another one may have viewers. */
const IDLE_TICK_MS = 10_000;
const HEARTBEAT_TICKS = 15;
const TOPIC = 'dashboard';

export class LiveFigures {
  readonly #viewers = new Viewers();
  readonly #id = randomUUID();
  /** `undefined` before the first answer, and while the store fails. */
  #others: readonly SharedFigures[] | undefined;
  #isSharing = false;
  #timer: unknown;
  #isClosed = false;
  #sent = '';
  #silentTicks = 0;

  constructor(private readonly parts: LiveParts) {}

  start(): void {
    if (this.parts.engine.canShare) this.#tick();
  }

  /** With the health of this moment. */
  async read(): Promise<Snapshot> {
    await this.parts.health.ask();
    return this.#snapshot();
  }

  #snapshot(): Snapshot {
    const { figures, health, clock, engine } = this.parts;
    const nowMs = clock.epochMs();
    const others = this.#others ?? [];
    return {
      timeMs: nowMs,
      processes: 1 + others.filter(({ timeMs }) => Math.abs(nowMs - timeMs) < 3 * IDLE_TICK_MS).length,
      sharing: engine.canShare ? (this.#others === undefined ? 'failing' : 'on') : 'off',
      health: health.rows(),
      ...(others.length === 0 ? figures.lists() : mergeFigures([figures.lists(), ...others], nowMs)),
    };
  }

  /** @returns `false` where there are too many viewers */
  async watch(response: ServerResponse, mayStay: MayStay): Promise<boolean> {
    const snapshot = await this.read();
    if (this.#viewers.isFull) return false;
    this.#viewers.add(response, mayStay, toEvent(snapshot));
    if (this.#isClosed) this.#viewers.end();
    else if (this.#viewers.size === 1) {
      this.parts.timers.stop(this.#timer);
      this.#wait();
    }
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.parts.timers.stop(this.#timer);
    this.#viewers.end();
  }

  #tick(): void {
    if (this.parts.engine.canShare && !this.#isSharing) void this.#share();
    if (this.#viewers.size > 0) {
      this.#send();
      this.#viewers.recheck();
      void this.parts.health.ask();
    }
    this.#wait();
  }

  #wait(): void {
    const hasViewers = this.#viewers.size > 0;
    if (this.#isClosed || (!hasViewers && !this.parts.engine.canShare)) return;
    this.#timer = this.parts.timers.start(hasViewers ? TICK_MS : IDLE_TICK_MS, () => this.#tick());
  }

  #send(): void {
    const snapshot = this.#snapshot();
    const text = JSON.stringify({ ...snapshot, timeMs: 0 });
    if (text !== this.#sent) {
      this.#sent = text;
      this.#silentTicks = 0;
      this.#viewers.send(toEvent(snapshot));
    } else if (++this.#silentTicks % HEARTBEAT_TICKS === 0) this.#viewers.send(':\n\n');
  }

  async #share(): Promise<void> {
    const { figures, engine, clock } = this.parts;
    this.#isSharing = true;
    try {
      const own: SharedFigures = { id: this.#id, timeMs: clock.epochMs(), ...figures.lists() };
      const texts = await engine.share(TOPIC, this.#id, JSON.stringify(own));
      const all = texts?.flatMap(text => readSharedFigures(text) ?? []);
      this.#others = all?.filter(({ id }) => id !== this.#id);
    } finally {
      this.#isSharing = false;
    }
  }
}

const toEvent = (snapshot: Snapshot): string => `data: ${JSON.stringify(snapshot)}\n\n`;
