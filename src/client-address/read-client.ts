/* Reads the client of a request: its address, scheme and host, from the forwarded headers of trusted proxies. The walk
 * starts at the right end, which the nearest proxy wrote, and stops at the first address that is not a trusted proxy.
 * The client can choose everything left of it. */
import { canonicalAddress } from '../common/ip-address.js';
import type { TrustFunction } from './client-address.options.js';

/** The client of a request, without its partition key. */
interface ClientReading {
  readonly address: string;
  /** Whether trusted proxies named this address, and no forwarded address precedes it. */
  readonly isFromTrustedProxy: boolean;
  readonly secure: boolean;
  readonly forwardedHosts: readonly string[] | undefined;
}

interface Peer {
  readonly address: string | undefined;
  readonly encrypted: boolean;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The longest chain of proxies that is read. */
const MAX_WALK = 32;

export function readClient(peer: Peer, headers: Headers, trusts: TrustFunction | undefined): ClientReading {
  const peerAddress = (peer.address && canonicalAddress(peer.address)) ?? peer.address ?? '';
  if (trusts === undefined || !trusts(peerAddress, 0)) {
    return {
      address: peerAddress,
      isFromTrustedProxy: false,
      secure: peer.encrypted,
      forwardedHosts: undefined,
    };
  }
  const forwarded = headers['forwarded'];
  const elements = forwarded === undefined ? [] : parseForwarded(join(forwarded));
  const { address, isFromTrustedProxy } = readAddress(peerAddress, headers, elements, trusts);
  return {
    address,
    isFromTrustedProxy,
    secure: readScheme(headers, elements) ?? peer.encrypted,
    forwardedHosts: readForwardedHosts(headers, elements),
  };
}

type Walk = Pick<ClientReading, 'address' | 'isFromTrustedProxy'>;

/** A proxy writes one of the two headers and may forward the other as the client sent it; if they differ, neither counts. */
function readAddress(
  peer: string,
  headers: Headers,
  elements: readonly ForwardedElement[],
  trusts: TrustFunction,
): Walk {
  const list = headers['x-forwarded-for'];
  const byList = list === undefined ? undefined : walk(peer, lastOf(list), trusts);
  if (elements.length === 0) return byList ?? { address: peer, isFromTrustedProxy: false };
  const byElements = walk(
    peer,
    elements.map(element => element.for),
    trusts,
  );
  if (byList === undefined) return byElements;
  const agree = byList.address === byElements.address;
  return {
    address: agree ? byList.address : peer,
    isFromTrustedProxy: agree && byList.isFromTrustedProxy && byElements.isFromTrustedProxy,
  };
}

/** Whether a request has forwarded headers for the client's address. */
export function hasForwardedHeaders(headers: Headers): boolean {
  return headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
}

function walk(peer: string, chain: readonly (string | undefined)[], trusts: TrustFunction): Walk {
  let address = peer;
  for (let hop = 1; hop <= chain.length && hop <= MAX_WALK; hop++) {
    const node = readNode(chain[chain.length - hop]);
    // An element that is no address ends the walk at the last address that a trusted proxy reported, so that text of the
    // client never becomes its address.
    if (node === undefined) return { address, isFromTrustedProxy: false };
    address = node;
    if (!trusts(address, hop)) return { address, isFromTrustedProxy: hop === chain.length && hop < MAX_WALK };
  }
  return { address, isFromTrustedProxy: chain.length < MAX_WALK };
}

/** An address, with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`. */
function readNode(node: string | undefined): string | undefined {
  if (node === undefined || node.includes('%')) return undefined;
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(node);
  if (bracketed) return bracketed[1]!.includes(':') ? canonicalAddress(bracketed[1]!) : undefined;
  const withPort = /^([\d.]+):\d{1,5}$/.exec(node);
  return canonicalAddress(withPort ? withPort[1]! : node);
}

/** HTTPS only if every reported scheme is https: the client may have written the first. */
function readScheme(headers: Headers, elements: readonly ForwardedElement[]): boolean | undefined {
  const said = [...elements.flatMap(({ proto }) => proto ?? []), ...listOf(headers['x-forwarded-proto'])];
  const schemes = said.map(scheme => scheme.toLowerCase());
  if (schemes.length === 0 || schemes.some(scheme => scheme !== 'http' && scheme !== 'https'))
    return undefined;
  return schemes.every(scheme => scheme === 'https');
}

function readForwardedHosts(
  headers: Headers,
  elements: readonly ForwardedElement[],
): readonly string[] | undefined {
  const hosts = [...elements.flatMap(({ host }) => host ?? []), ...listOf(headers['x-forwarded-host'])];
  return hosts.length === 0 ? undefined : hosts;
}

function join(value: string | string[]): string {
  return typeof value === 'string' ? value : value.join(',');
}

/** All items; for a list that is too long, one empty item, so that it is rejected. */
function listOf(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const items = join(value).split(',', MAX_WALK + 1);
  return items.length > MAX_WALK ? [''] : items.map(trimWhiteSpace);
}

/** The last `MAX_WALK` items: splitting 16 kB of commas would dominate the cost of a request. */
function lastOf(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const text = join(value);
  let comma = text.length;
  for (let count = 0; count < MAX_WALK && comma !== -1; count++) {
    comma = comma === 0 ? -1 : text.lastIndexOf(',', comma - 1);
  }
  return text
    .slice(comma + 1)
    .split(',')
    .map(trimWhiteSpace);
}

/**
 * Removes the optional white space of HTTP (RFC 9110 section 5.6.3); String.trim() would also remove a no-break space.
 * A regular expression for trailing white space would take quadratic time on input of the client.
 */
function trimWhiteSpace(item: string): string {
  let start = 0;
  let end = item.length;
  while (start < end && isWhiteSpace(item.charCodeAt(start))) start++;
  while (end > start && isWhiteSpace(item.charCodeAt(end - 1))) end--;
  return item.slice(start, end);
}

const isWhiteSpace = (char: number): boolean => char === 0x20 || char === 0x09;

/* Parses the `Forwarded` header, RFC 7239 section 4. */

interface ForwardedElement {
  readonly for?: string;
  readonly proto?: string;
  readonly host?: string;
}

const PAIR =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+)|"((?:[^"\\]|\\.)*)")[ \t]*/y;
const READ_PARAMETERS = new Set(['for', 'proto', 'host']);

/**
 * Parses the whole header. One malformed element makes the result empty, since the parts of proxies and of the client can then not be
 * distinguished.
 */
export function parseForwarded(field: string): readonly ForwardedElement[] {
  const elements: Record<string, string>[] = [];
  let element: Record<string, string> = {};
  PAIR.lastIndex = 0;
  for (;;) {
    const pair = PAIR.exec(field);
    if (pair === null) return [];
    const name = pair[1]!.toLowerCase();
    if (Object.hasOwn(element, name)) return [];
    if (READ_PARAMETERS.has(name)) element[name] = pair[2] ?? pair[3]!.replace(/\\(.)/g, '$1');
    const separator = field[PAIR.lastIndex];
    if (separator !== ';') {
      elements.push(element);
      element = {};
    }
    if (separator === undefined) return elements;
    if (separator !== ';' && separator !== ',') return [];
    PAIR.lastIndex += 1;
  }
}
