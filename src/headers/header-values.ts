/* Readers of options whose value becomes the value of one header: `false` leaves the header out, `true` sends its default. */
import { AgentSecurityConfigError } from '../common/config-error.js';
import {
  boolean,
  choice,
  expandShort,
  mapped,
  type ReadOption,
  readTable,
  type Resolved,
  seconds,
} from '../common/option-table.js';
import { readChoice, receivedError, isRecord, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';

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
    main?: string,
  ): ReadOption<HeaderValue> =>
  (option, value = isOn) =>
    value === false ? undefined : serialize(readTable(option, expandShort(value, main), table), option);

/** A header with one of some values under `policy`; the first is the default. */
export const onePolicy = (isOn: boolean, policies: readonly [string, ...string[]]): ReadOption<HeaderValue> =>
  fromSettings(isOn, { policy: choice(policies, policies[0]) }, ({ policy }) => policy, 'policy');

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
export const referrerPolicy = (fallback: string): ReadOption<HeaderValue> =>
  fromSettings(
    true,
    {
      policy: (option, value = fallback) => {
        const policies = (Array.isArray(value) ? value : [value]) as unknown[];
        return policies.map(policy => readChoice(option, policy, REFERRER_POLICIES, fallback));
      },
    } satisfies Record<'policy', ReadOption<readonly string[]>>,
    ({ policy }) => policy.join(', '),
    'policy',
  );

const PRELOAD_MIN_SECONDS = 31_536_000;

export const strictTransportSecurity = fromSettings(
  true,
  { maxAge: seconds(31_536_000, 0, 2 ** 31), includeSubDomains: boolean(true), preload: boolean(false) },
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

const FORMS = 'See docs/reference/options.md for the forms that it takes.';
const headerError = (option: string, received: unknown, problem: string) =>
  receivedError('ASEC_HEADER_VALUE', option, problem, FORMS, received);

/** Serializes Reporting-Endpoints: the URLs of the endpoints that `report-to` names (Reporting API). */
export function resolveReportingEndpoints(option: string, value: unknown): string | undefined {
  if (value === undefined || value === false) return undefined;
  if (!isRecord(value) || Object.keys(value).length === 0) {
    throw headerError(option, value, 'must be an object of endpoint names and URLs');
  }
  rejectMissing(option, value);
  const endpoints = Object.entries(value).map(([name, url]) => {
    if (!/^[a-z*][a-z0-9_.*-]*$/.test(name))
      throw headerError(`${option}.${showName(name)}`, name, 'is not an endpoint name');
    if (typeof url !== 'string' || !/^(?:https:\/|)\/[\x21\x23-\x5b\x5d-\x7e]*$/.test(url)) {
      throw headerError(`${option}.${showName(name)}`, url, 'must be an https URL or a path');
    }
    return `${name}="${url}"`;
  });
  return endpoints.join(', ');
}

/** Features of Permissions-Policy that current browsers know on every platform: Chromium logs a warning for any other. */
const POWERFUL_FEATURES = [
  'accelerometer',
  'camera',
  'display-capture',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'publickey-credentials-get',
  'screen-wake-lock',
  'serial',
  'usb',
  'xr-spatial-tracking',
];

/** Serializes Permissions-Policy. */
export function resolvePermissionsPolicy(option: string, value: unknown): string | undefined {
  if (value === false) return undefined;
  if (value === undefined || value === true)
    return POWERFUL_FEATURES.map(feature => `${feature}=()`).join(', ');
  if (!isRecord(value)) throw headerError(option, value, 'must be true, false or an object of features');
  rejectMissing(option, value);
  const features = new Map<string, unknown>(POWERFUL_FEATURES.map(feature => [feature, []]));
  for (const [key, allowed] of Object.entries(value)) {
    const feature = key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
    if (!/^[a-z]+(?:-[a-z0-9]+)*$/.test(feature))
      throw headerError(`${option}.${showName(key)}`, key, 'is not a feature name');
    features.set(feature, allowed);
  }
  const serialize = ([feature, allowed]: readonly [string, unknown]): string =>
    `${feature}=${allowList(`${option}.${feature}`, allowed)}`;
  return Array.from(features, serialize).join(', ');
}

function allowList(option: string, allowed: unknown): string {
  if (allowed === '*') return '*';
  const list = (Array.isArray(allowed) ? allowed : [allowed]) as unknown[];
  const members = list.map(member => {
    if (member === 'self' || member === 'src') return member;
    if (typeof member === 'string' && /^https?:\/\/[\x21\x23-\x5b\x5d-\x7e]+$/.test(member))
      return `"${member}"`;
    throw headerError(option, member, 'must be "*", "self" or an origin');
  });
  return `(${members.join(' ')})`;
}
