import { STATUS_CODES } from 'node:http';

const CODES: Readonly<Record<number, string>> = {
  405: 'method_not_allowed',
  413: 'body_too_large',
  418: 'im_a_teapot',
  429: 'rate_limited',
};

/** The code of a status: `not_found` for 404. */
export function codeOfStatus(status: number): string {
  return CODES[status] ?? (STATUS_CODES[status] ?? 'error').toLowerCase().replace(/[^a-z]+/g, '_');
}
