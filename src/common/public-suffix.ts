/* Wildcards over a public suffix, such as `*.co.uk` or `*.vercel.app`, below which anyone can have a name. */
import type { ConfigErrorCode } from './config-error.js';
import { receivedError } from './read-options.js';

/** A wildcard in the options. */
export interface Wildcard {
  /** Where it is written: `hosts[0]`. */
  readonly option: string;
  readonly written: string;
  /** The domain that it covers. */
  readonly domain: string;
}

/** Domains in which nobody can register a name: this machine (RFC 6761) and home networks (RFC 8375). The list contains the second. */
const NOT_REGISTRABLE: ReadonlySet<string> = new Set(['localhost', 'home.arpa']);

/** @throws AgentSecurityConfigError for the first one over a suffix of publicsuffix.org, with the list's private part */
export async function rejectPublicSuffixes(
  code: ConfigErrorCode,
  wildcards: Iterable<Wildcard>,
): Promise<void> {
  for (const { option, written, domain } of wildcards) {
    if (NOT_REGISTRABLE.has(domain) || !(await isPublicSuffix(domain))) continue;
    throw receivedError(
      code,
      option,
      'must not cover a public suffix, below which anyone can have a name',
      `List your own names: ${written.replace('*', 'my-app')}, or ${written.replace('*', '*.my-app')} for its subdomains.`,
      written,
    );
  }
}

/** A name that is not in the list, such as `localhost` or `internal`, is none. */
export async function isPublicSuffix(domain: string): Promise<boolean> {
  // Loaded on demand: the list is large, and most apps have no wildcard.
  const { PUBLIC_SUFFIXES } = await import('./public-suffix-list.js');
  const dot = domain.indexOf('.');
  const label = dot === -1 ? domain : domain.slice(0, dot);
  const parent = dot === -1 ? '' : domain.slice(dot + 1);
  const below =
    PUBLIC_SUFFIXES.find(line => line.startsWith(`${parent} `))
      ?.split(' ')
      .slice(1) ?? [];
  return below.includes(label) || (below.includes('*') && !below.includes(`!${label}`));
}
