/* What the start-up summary warns of. The features find these risks (`summarize`), and say why they matter. */
import type { SummaryCheck } from '../check.js';

export const SUMMARY_CHECKS: readonly SummaryCheck[] = [
  {
    /** @see docs/guides/configuration.md */
    id: 'ASEC-C001',
    severity: 'warning',
    title: 'Every host is accepted.',
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-C002',
    severity: 'warning',
    title: 'Pages of every origin may read responses.',
  },
  {
    /** @see docs/guides/cors.md */
    id: 'ASEC-C003',
    severity: 'warning',
    title: 'Local HTML files may read responses.',
  },
  {
    /** @see docs/guides/headers.md */
    id: 'ASEC-C004',
    severity: 'warning',
    title: 'Every site may show the app in a frame.',
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C005',
    severity: 'warning',
    title: 'No client is limited.',
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C006',
    severity: 'warning',
    title: 'Limits are not enforced.',
  },
  {
    /** @see docs/rate-limits.md */
    id: 'ASEC-C007',
    severity: 'warning',
    title: 'There is no flood limit.',
  },
  {
    /** @see docs/redis.md */
    id: 'ASEC-C008',
    severity: 'warning',
    title: 'Several processes count in their own memory.',
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-C009',
    severity: 'warning',
    title: 'The key that signs tokens ends with the process.',
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-C010',
    severity: 'warning',
    title: 'Failed attempts to authenticate are not limited.',
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-C011',
    severity: 'warning',
    title: 'URLs are not checked.',
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-C012',
    severity: 'warning',
    title: 'Ambiguous paths reach the router.',
  },
  {
    /** @see docs/input.md */
    id: 'ASEC-C013',
    severity: 'warning',
    title: 'Bodies are not checked.',
  },
];
