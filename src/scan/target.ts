/* The server that is scanned: its address is looked up once, so that a name cannot lead elsewhere between two requests. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** A scan that cannot begin or go on. */
export class ScanError extends Error {}

export interface Target {
  readonly isTls: boolean;
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** As in the Host header. */
  readonly authority: string;
  readonly origin: string;
  /** The path and the query. */
  readonly path: string;
  /** The path for reports: a query may hold a credential. */
  readonly shownPath: string;
  readonly address: string;
  readonly isLoopback: boolean;
}

export function readTargetUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new ScanError('Give an http: or https: URL.');
  if (url.username !== '' || url.password !== '') throw new ScanError('The URL must not hold a credential.');
  return url;
}

/** An IPv4 address in an IPv6 one as well, which a URL writes in hexadecimal digits. */
const LOOPBACK = /^(?:::1$|(?:::ffff:)?127\.|::ffff:7f[\da-f]{2}:)/i;

/** @param isOwned whether hosts beyond this machine may be scanned; @returns one for each address of the name */
export async function findTargets(url: URL, isOwned: boolean): Promise<readonly Target[]> {
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = await findAddresses(hostname);
  const isLoopback = addresses.every(address => LOOPBACK.test(address));
  if (!isLoopback && !isOwned)
    throw new ScanError(`${url.host} is not this machine. Add --i-own-this-host if you may scan it.`);
  const isTls = url.protocol === 'https:';
  return addresses.map(address => ({
    isTls,
    hostname,
    port: Number(url.port) || (isTls ? 443 : 80),
    authority: url.host,
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    shownPath: `${url.pathname}${url.search && '?...'}`,
    address,
    isLoopback,
  }));
}

async function findAddresses(hostname: string): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  const found = await lookup(hostname, { all: true }).catch(() => []);
  if (found.length === 0) throw new ScanError(`${hostname} has no address.`);
  // A server that listens on one of a name's addresses is mostly found at the IPv4 one.
  return found.toSorted((a, b) => a.family - b.family).map(({ address }) => address);
}
