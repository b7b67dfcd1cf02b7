/* Parses reports of violations of a Content Security Policy in the two forms that browsers send (Reporting API, CSP Level 3 section 5). */
import { isRecord } from '../common/read-options.js';
import { parseStrictJson } from '../common/strict-json.js';
import { type CspViolation, readViolation } from './csp-violation.js';

export const REPORT_TYPES: ReadonlySet<string> = new Set([
  'application/reports+json',
  'application/csp-report',
]);

/** A browser sends a handful at once. */
const MAX_REPORTS = 100;
/** Reports of browsers are smaller. */
const MAX_DEPTH = 16;
const MAX_KEYS = 10_000;

/** @returns `undefined` for what is no report at all; reports of other types (deprecations, crashes) are left out */
export function readReports(bytes: Uint8Array): readonly CspViolation[] | undefined {
  const json = parseStrictJson(bytes, MAX_DEPTH, MAX_KEYS);
  if (!json.valid) return undefined;
  const { value } = json;
  if (Array.isArray(value)) {
    return (value as unknown[]).slice(0, MAX_REPORTS).flatMap(report => {
      if (!isRecord(report) || report['type'] !== 'csp-violation' || !isRecord(report['body'])) return [];
      const { effectiveDirective, blockedURL, documentURL, disposition } = report['body'];
      return readViolation(effectiveDirective, blockedURL, documentURL ?? report['url'], disposition);
    });
  }
  const report = isRecord(value) ? value['csp-report'] : undefined;
  if (!isRecord(report)) return undefined;
  const directive = report['effective-directive'] ?? report['violated-directive'];
  return readViolation(directive, report['blocked-uri'], report['document-uri'], report['disposition']);
}
