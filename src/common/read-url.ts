import { readRequired, readString, receivedError } from './read-options.js';
import { show } from './show-value.js';

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

/** Reads the path of an endpoint of the module. It stands in URLs, policies and quoted headers, so that only plain characters are allowed. */
export const plainPath =
  (fallback: string) =>
  (option: string, value: unknown): string => {
    const path = readString(option, value, fallback);
    // A client removes the segments "." and "..", so that no request would have the path.
    if (/^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+$/.test(path)) return path;
    const remedy = `Write for example ${show(fallback)}: letters, digits, ".", "_", "~" and "-" between slashes, no segment "." or "..".`;
    throw receivedError('ASEC_PATH_INVALID', option, 'must be an exact path', remedy, path);
  };
