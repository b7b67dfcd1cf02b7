/* Options that hold one limit, such as "10/minute". */
import type { ReadOption } from '../common/option-table.js';
import { receivedError } from '../common/read-options.js';
import { parseLimits } from './parse-limits.js';
import { createPolicy, type Policy } from './policy.js';

/** A reader of one limit, as a policy of the given name. */
export const singleLimit =
  (name: string, fallback: string): ReadOption<Policy> =>
  (option, value = fallback) => {
    const limits = typeof value === 'string' ? parseLimits(option, value) : [];
    const [parsed] = limits;
    if (parsed !== undefined && limits.length === 1)
      return createPolicy({ name, limit: parsed.limit, windowMs: parsed.windowMs });
    throw receivedError(
      'ASEC_OPTION_TYPE',
      option,
      'must be one limit',
      `Write for example "${fallback}".`,
      value,
    );
  };
