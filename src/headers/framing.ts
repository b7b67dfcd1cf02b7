/* The option `framing`: who may show the app's responses in a frame, as `X-Frame-Options` and as the directive `frame-ancestors`. Browsers
 * that know the directive ignore the header (CSP Level 3, section 6.4.2.2), so both must say the same. */
import { isRecord, receivedError } from '../common/read-options.js';
import { readOrigin } from '../cors/origin.js';
import { FRAME_ANCESTORS, type ResolvedPolicy } from './content-security-policy.js';

/** `true` is `'deny'`, and `false` lets every page frame the responses. */
export type FramingOption = boolean | 'deny' | 'sameorigin' | readonly string[];

export interface Framing {
  /** The sources of `frame-ancestors`; `undefined` where every page may frame. */
  readonly ancestors: readonly string[] | undefined;
  /** Whether the option was set, so that it changes the content security policies. */
  readonly isSet: boolean;
}

const WORDS: Readonly<Record<string, readonly string[] | undefined>> = {
  true: ["'none'"],
  deny: ["'none'"],
  sameorigin: ["'self'"],
  false: undefined,
};

export function readFraming(option: string, value: unknown): Framing {
  const isSet = value !== undefined;
  // Helmet and the header itself write upper case too.
  const word = typeof value === 'string' ? value.toLowerCase() : String(value ?? true);
  if ((!isSet || typeof value === 'boolean' || typeof value === 'string') && Object.hasOwn(WORDS, word))
    return { ancestors: WORDS[word], isSet };
  if (Array.isArray(value) && value.length > 0)
    return {
      ancestors: (value as unknown[]).map((origin, index) => readAncestor(`${option}[${index}]`, origin)),
      isSet,
    };
  throw framingError(option, value);
}

/** An origin, with a wildcard for its subdomains or for its port, or the app's own pages. */
function readAncestor(option: string, value: unknown): string {
  if (value === "'self'" || value === 'self') return "'self'";
  if (typeof value === 'string' && readOrigin(value.replace(/^(https?:\/\/)\*\./, '$1').replace(/:\*$/, '')))
    return value;
  throw framingError(option, value);
}

const framingError = (option: string, value: unknown) =>
  receivedError(
    'ASEC_HEADER_VALUE',
    option,
    'must be "deny", "sameorigin", false or a list of origins',
    isRecord(value)
      ? 'Write "sameorigin" without an object around it.'
      : 'Write ["self", "https://partner.example.com"].',
    value,
  );

/** Lays the option over a policy, which may be off. */
export function withFraming(
  policy: ResolvedPolicy | undefined,
  { ancestors, isSet }: Framing,
): ResolvedPolicy | undefined {
  if (policy === undefined || !isSet) return policy;
  const directives = { ...policy.directives };
  if (ancestors === undefined) delete directives[FRAME_ANCESTORS];
  else directives[FRAME_ANCESTORS] = ancestors;
  return Object.keys(directives).length === 0 ? undefined : { ...policy, directives };
}

/** The value of `X-Frame-Options` that says the same; `undefined` for a list of origins, which it cannot say. */
export function frameOptionsOf(ancestors: readonly string[] | undefined): string | undefined {
  const sources = ancestors?.join(' ').toLowerCase();
  if (sources === "'none'" || sources === '') return 'DENY';
  return sources === "'self'" ? 'SAMEORIGIN' : undefined;
}
