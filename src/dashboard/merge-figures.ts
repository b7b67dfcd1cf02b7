/* Merges the figures of several processes. */
import { MAX_AUDIT, MAX_REJECTIONS, type FigureLists } from './figures.js';
import { nearest } from './limit-usage.js';
import { mergeMinutes } from './minute-counts.js';
import { newest } from './recent-rejections.js';
import { mergeTools } from './tool-counts.js';

/** What a process shares with the others. */
export interface SharedFigures extends FigureLists {
  /** Names the process. */
  readonly id: string;
  /** When it has shared them. */
  readonly timeMs: number;
}

/** A process that has ended leaves its figures for an hour: how its clients stood is past. */
const PAST_MS = 5_000;

export function mergeFigures(all: readonly FigureLists[], nowMs: number): FigureLists {
  return {
    minutes: mergeMinutes(
      all.map(({ minutes }) => minutes),
      nowMs,
    ),
    clients: nearest(
      all.flatMap(({ clients }) => clients).filter(({ resetMs }) => resetMs > nowMs - PAST_MS),
    ),
    rejections: newest(
      all.flatMap(({ rejections }) => rejections),
      MAX_REJECTIONS,
      nowMs,
    ),
    tools: mergeTools(all.map(({ tools }) => tools)),
    audit: newest(
      all.flatMap(({ audit }) => audit),
      MAX_AUDIT,
      nowMs,
    ),
  };
}
