/* Every rule, in the order of its ID. `docs/reference/scans.md` is made of it. */
import type { ScanRule } from './rule.js';
import { ACCESS_RULES } from './rules/access-rules.js';
import { HEADER_RULES } from './rules/header-rules.js';
import { HOST_RULES } from './rules/host-rules.js';
import { LIMIT_RULES } from './rules/limit-rules.js';
import { MCP_RULES } from './rules/mcp-rules.js';
import { METADATA_RULES } from './rules/metadata-rules.js';
import { ORIGIN_RULES } from './rules/origin-rules.js';
import { REQUEST_RULES } from './rules/request-rules.js';
import { RESPONSE_RULES } from './rules/response-rules.js';

export const SCAN_TABLE: readonly ScanRule[] = [
  ...HEADER_RULES,
  ...HOST_RULES,
  ...ORIGIN_RULES,
  ...REQUEST_RULES,
  ...RESPONSE_RULES,
  ...ACCESS_RULES,
  ...LIMIT_RULES,
  ...MCP_RULES,
  ...METADATA_RULES,
];
