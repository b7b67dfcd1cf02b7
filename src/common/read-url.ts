import { readRequired, receivedError } from './read-options.js';

const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Reads an absolute https URL without a fragment (RFC 8707 section 2); http is allowed for loopback names. The URL
 * contains no character that would end a quoted string of a header.
 */
export function readHttpsUrl(option: string, value: unknown): string {
  const text = readRequired(option, value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname));
  const bare = url !== undefined && url.hash === '' && url.username === '' && url.password === '';
  if (secure && bare && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)) return text;
  throw receivedError(
    'ASEC_AUTH_URL',
    option,
    'must be an https URL without fragment',
    'Write for example "https://api.example.com"; http is for loopback names.',
    text,
  );
}
