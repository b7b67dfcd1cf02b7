/* Every check, in the order of its ID. `docs/reference/checks.md` is made of it. */
import { AGENT_CHECKS } from './checks/agent-checks.js';
import { APP_CHECKS } from './checks/app-checks.js';
import { DEPLOY_CHECKS } from './checks/deploy-checks.js';
import { EXPOSURE_CHECKS } from './checks/exposure-checks.js';
import { OPTION_CHECKS } from './checks/option-checks.js';
import { POLICY_CHECKS } from './checks/policy-checks.js';
import { SUMMARY_CHECKS } from './checks/summary-checks.js';
import type { Check } from './check.js';

export const CHECK_TABLE: readonly Check[] = [
  ...SUMMARY_CHECKS,
  ...OPTION_CHECKS,
  ...POLICY_CHECKS,
  ...AGENT_CHECKS,
  ...APP_CHECKS,
  ...DEPLOY_CHECKS,
  ...EXPOSURE_CHECKS,
];
