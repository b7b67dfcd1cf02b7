/* The formats of a report: pure functions of it. */
import type { ShownReport } from '../finding.js';
import { formatGithub } from './github.js';
import { formatJson } from './json.js';
import { formatJunit } from './junit.js';
import { formatSarif } from './sarif.js';
import { formatText } from './text.js';

/** @param place the path of the app's module, or the URL that was scanned */
export type Format = (report: ShownReport, place: string) => string;

export const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ['text', formatText],
  ['json', formatJson],
  ['sarif', formatSarif],
  ['junit', formatJunit],
  ['github', formatGithub],
]);
