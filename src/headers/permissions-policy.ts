/* Serializes Permissions-Policy: the browser features that a page may use. The responses of an API need none. */
import { isRecord, rejectMissing } from '../common/read-options.js';
import { showName } from '../common/show-value.js';
import { headerError } from './header-values.js';

const POWERFUL_FEATURES = [
  'accelerometer',
  'bluetooth',
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
  return Array.from(
    features,
    ([feature, allowed]) => `${feature}=${allowList(`${option}.${feature}`, allowed)}`,
  ).join(', ');
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
