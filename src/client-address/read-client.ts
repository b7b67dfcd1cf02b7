/* Reads the client of a request: its address, scheme and host, from the forwarded headers of trusted proxies. The walk
 * starts at the right end, which the nearest proxy wrote, and stops at the first address that is not a trusted proxy.
 * The client can choose everything left of it. */
import { canonicalAddress } from '../common/ip-address.js';
import type { Client } from '../common/request-state.js';
import type { ForwardedHeader, ResolvedTrustProxy } from './client-address.options.js';
import type { TrustFunction } from './read-trust.js';

interface Peer {
  readonly address: string | undefined;
  readonly encrypted: boolean;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The longest chain of proxies that is read. */
const MAX_WALK = 32;

/** Whether a request has forwarded headers for the client's address. */
export function hasForwardedHeaders(headers: Headers): boolean {
  return headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
}

/** The client without its partition key. */
export type Reading = Omit<Client, 'key'>;

export function readClient(peer: Peer, headers: Headers, trust: ResolvedTrustProxy | undefined): Reading {
  const address = (peer.address && canonicalAddress(peer.address)) ?? peer.address ?? '';
  if (trust === undefined || !trust.trusts(address, 0)) {
    return { address, isFromTrustedProxy: false, secure: peer.encrypted, forwardedHosts: undefined };
  }
  const { elements, addresses, schemes, hosts } = readWritten(headers, trust.header);
  const found = readAddress(address, elements, addresses, trust.trusts);
  return {
    address: found.address,
    isFromTrustedProxy: found.isFromTrustedProxy,
    secure: readScheme(elements, schemes) ?? peer.encrypted,
    forwardedHosts: readForwardedHosts(elements, hosts),
  };
}

/** What proxies wrote. */
interface Written {
  readonly elements: Elements;
  readonly addresses: Field;
  readonly schemes: Field;
  readonly hosts: Field;
}

type Elements = readonly ForwardedElement[];
type Field = string | string[] | undefined;

function readWritten(headers: Headers, header: ForwardedHeader | undefined): Written {
  const { forwarded } = headers;
  const elements =
    forwarded === undefined || header === 'X-Forwarded-For' ? [] : parseForwarded(String(forwarded));
  if (header === 'Forwarded') return { elements, addresses: undefined, schemes: undefined, hosts: undefined };
  return {
    elements,
    addresses: headers['x-forwarded-for'],
    schemes: headers['x-forwarded-proto'],
    hosts: headers['x-forwarded-host'],
  };
}

type Walk = Pick<Client, 'address' | 'isFromTrustedProxy'>;

/** A proxy writes one of the two headers and may forward the other as the client sent it; if they differ, neither counts. */
function readAddress(peer: string, elements: Elements, addresses: Field, trusts: TrustFunction): Walk {
  const byList = addresses === undefined ? undefined : walk(peer, lastOf(String(addresses)), trusts);
  const chain = elements.map(element => element.for);
  const byElements = chain.length === 0 ? undefined : walk(peer, chain, trusts);
  const unknown = { address: peer, isFromTrustedProxy: false };
  if (byList === undefined || byElements === undefined) return byList ?? byElements ?? unknown;
  if (byList.address !== byElements.address) return unknown;
  return byList.isFromTrustedProxy ? byElements : byList;
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

/** Whether a scheme is encrypted. Some proxies report that of a WebSocket handshake. */
const ENCRYPTED: ReadonlyMap<string, boolean> = new Map([
  ['http', false],
  ['https', true],
  ['ws', false],
  ['wss', true],
]);

/** HTTPS only if every reported scheme is https: the client may have written the first. */
export function readScheme(elements: Elements, schemes: Field): boolean | undefined {
  const reported = [...elements.flatMap(({ proto }) => proto ?? []), ...listOf(schemes)];
  const encrypted = reported.map(scheme => ENCRYPTED.get(scheme.toLowerCase()));
  return encrypted.length === 0 || encrypted.includes(undefined) ? undefined : !encrypted.includes(false);
}

export function readForwardedHosts(elements: Elements, hosts: Field): readonly string[] | undefined {
  const reported = [...elements.flatMap(({ host }) => host ?? []), ...listOf(hosts)];
  return reported.length === 0 ? undefined : reported;
}

/** All items; for a list that is too long, one empty item, so that it is rejected. */
function listOf(value: Field): readonly string[] {
  if (value === undefined) return [];
  const items = String(value).split(',', MAX_WALK + 1);
  return items.length > MAX_WALK ? [''] : items.map(trimWhiteSpace);
}

/** The last `MAX_WALK` items: splitting 16 kB of commas would dominate the cost of a request. */
function lastOf(list: string): readonly string[] {
  let comma = list.length;
  for (let count = 0; count < MAX_WALK && comma !== -1; count++) {
    comma = comma === 0 ? -1 : list.lastIndexOf(',', comma - 1);
  }
  return list
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

interface ForwardedElement {
  readonly for?: string;
  readonly proto?: string;
  readonly host?: string;
}

const PAIR =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+)|"((?:[^"\\]|\\.)*)")[ \t]*/y;
const READ_PARAMETERS = new Set(['for', 'proto', 'host']);

/**
 * Parses the `Forwarded` header (RFC 7239 section 4). One malformed element makes the result empty, since the parts of proxies and of the
 * client can then not be distinguished.
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
