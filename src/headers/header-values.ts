/* Readers of options whose value becomes the value of one header: `false` leaves the header out, `true` sends its default. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  boolean,
  choice,
  integer,
  mapped,
  type ReadOption,
  readTable,
  type Resolved,
} from '../common/option-table.js';
import { readChoice } from '../common/read-options.js';

/** The value of a header; `undefined` for a header that is off. */
export type HeaderValue = string | undefined;

type Table = Readonly<Record<string, ReadOption<unknown>>>;

/** A header with one value. */
export const toggle = (value: string, isOn: boolean): ReadOption<HeaderValue> =>
  mapped(boolean(isOn), on => (on ? value : undefined));

/** A header whose value is made of settings. */
export const fromSettings =
  <T extends Table>(
    isOn: boolean,
    table: T,
    serialize: (settings: Resolved<T>, option: string) => string,
  ): ReadOption<HeaderValue> =>
  (option, value = isOn) =>
    value === false ? undefined : serialize(readTable(option, value === true ? {} : value, table), option);

/** A header with one of some values under `policy`; the first is the default. */
export const onePolicy = (isOn: boolean, policies: readonly [string, ...string[]]): ReadOption<HeaderValue> =>
  fromSettings(isOn, { policy: choice(policies, policies[0]) }, ({ policy }) => policy);

const REFERRER_POLICIES = [
  'no-referrer',
  'no-referrer-when-downgrade',
  'same-origin',
  'origin',
  'strict-origin',
  'origin-when-cross-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
];

/** One policy, or several of which browsers take the last that they know (Referrer Policy section 8.1). */
export const referrerPolicy = fromSettings(
  true,
  {
    policy: (option, value = 'no-referrer') => {
      const policies = (Array.isArray(value) ? value : [value]) as unknown[];
      return policies.map(policy => readChoice(option, policy, REFERRER_POLICIES, 'no-referrer'));
    },
  } satisfies Record<'policy', ReadOption<readonly string[]>>,
  ({ policy }) => policy.join(', '),
);

const PRELOAD_MIN_SECONDS = 31_536_000;

export const strictTransportSecurity = fromSettings(
  true,
  { maxAge: integer(31_536_000, 0, 2 ** 31), includeSubDomains: boolean(true), preload: boolean(false) },
  ({ maxAge, includeSubDomains, preload }, option) => {
    if (preload && (!includeSubDomains || maxAge < PRELOAD_MIN_SECONDS)) {
      throw new AgentSecurityConfigError(
        'ASEC_HEADER_VALUE',
        `${option}.preload`,
        `needs includeSubDomains and a maxAge of at least ${PRELOAD_MIN_SECONDS}`,
        'Browser preload lists take no other form.',
      );
    }
    return `max-age=${maxAge}${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
  },
);
