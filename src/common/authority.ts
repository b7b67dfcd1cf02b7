/* Parses the grammar of `Host` (RFC 9110 section 7.2, RFC 3986 section 3.2.2). A URL parser would accept userinfo,
 * paths and spellings such as 127.1, each of which has bypassed host lists. */
import { isIPv6 } from 'node:net';
import { canonicalAddress } from './ip-address.js';

export interface Authority {
  /** Lower case, without a trailing dot; IPv6 in brackets, in canonical form. */
  readonly name: string;
  readonly port: number | undefined;
}

const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;

/** Parses `name[:port]` strictly; `undefined` for anything else. */
export function readAuthority(text: string): Authority | undefined {
  if (text.charCodeAt(0) === 0x5b) return readIPv6Authority(text);
  const colon = text.indexOf(':');
  const name = readName(colon === -1 ? text : text.slice(0, colon));
  return name === undefined ? undefined : withPort(name, colon === -1 ? '' : text.slice(colon));
}

function readIPv6Authority(text: string): Authority | undefined {
  const close = text.indexOf(']');
  const address = text.slice(1, close);
  if (close === -1 || address.includes('%') || !isIPv6(address)) return undefined;
  // An IPv4-mapped address stays IPv6, so that it is compared with listed IPv6 addresses.
  const canonical = canonicalAddress(address)!;
  const name = `[${canonical.includes(':') ? canonical : `::ffff:${canonical}`}]`;
  return withPort(name, text.slice(close + 1));
}

/** @param rest `":8443"`, or nothing */
function withPort(name: string, rest: string): Authority | undefined {
  if (rest === '') return { name, port: undefined };
  if (!/^:\d{1,5}$/.test(rest)) return undefined;
  const port = Number(rest.slice(1));
  return port >= 1 && port <= 65_535 ? { name, port } : undefined;
}

function readName(text: string): string | undefined {
  const end = text.endsWith('.') ? text.length - 1 : text.length;
  if (end === 0 || end > MAX_NAME_LENGTH) return undefined;
  let labelStart = 0;
  let upperCase = false;
  for (let index = 0; index <= end; index++) {
    const char = index === end ? 0x2e : text.charCodeAt(index);
    if (char === 0x2e) {
      const length = index - labelStart;
      if (length === 0 || length > MAX_LABEL_LENGTH) return undefined;
      if (text.charCodeAt(labelStart) === 0x2d || text.charCodeAt(index - 1) === 0x2d) return undefined;
      labelStart = index + 1;
    } else if (char >= 0x41 && char <= 0x5a) {
      upperCase = true;
    } else if (!(
      (char >= 0x61 && char <= 0x7a) ||
      (char >= 0x30 && char <= 0x39) ||
      char === 0x2d ||
      char === 0x5f
    )) {
      return undefined;
    }
  }
  const name = end === text.length ? text : text.slice(0, end);
  return upperCase ? name.toLowerCase() : name;
}
