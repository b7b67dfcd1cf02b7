/* Merges the figures of several processes, and checks what came from the store. */
import { isRecord } from '../common/read-options.js';
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
    minutes: mergeMinutes(all.map(({ minutes }) => minutes)),
    clients: nearest(
      all.flatMap(({ clients }) => clients).filter(({ resetMs }) => resetMs > nowMs - PAST_MS),
    ),
    rejections: newest(
      all.flatMap(({ rejections }) => rejections),
      MAX_REJECTIONS,
    ),
    tools: mergeTools(all.map(({ tools }) => tools)),
    audit: newest(
      all.flatMap(({ audit }) => audit),
      MAX_AUDIT,
    ),
  };
}

const LISTS = ['minutes', 'clients', 'rejections', 'tools', 'audit'] as const;

/** @returns `undefined` for what is not of this version of the module */
export function parseFigures(text: string): SharedFigures | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) &&
      typeof value['id'] === 'string' &&
      LISTS.every(name => Array.isArray(value[name]))
      ? (value as unknown as SharedFigures)
      : undefined;
  } catch {
    return undefined;
  }
}
