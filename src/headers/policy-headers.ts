/* The headers that depend on whether a response is a page, and how decorators change its policy. */
import type { HeaderValue } from './header-values.js';
import {
  FRAME_ANCESTORS,
  type ResolvedPolicy,
  resolvePolicy,
  serializePolicy,
} from './content-security-policy.js';
import { type Framing, type FramingOption, frameOptionsOf, readFraming, withFraming } from './framing.js';

const ENFORCED = 'Content-Security-Policy';
const REPORT_ONLY = 'Content-Security-Policy-Report-Only';
export const CSP_HEADERS = [ENFORCED, REPORT_ONLY] as const;

/** What a decorator changes about the policies below it. */
export type PolicyLayer = { readonly policy: unknown } | { readonly framing: FramingOption };

/** Lays a decorator over the policy below it, which may be off. */
export function layPolicy(below: ResolvedPolicy | undefined, layer: PolicyLayer): ResolvedPolicy | undefined {
  if ('framing' in layer) return withFraming(below, readFraming('@SecurityHeaders().framing', layer.framing));
  return resolvePolicy(
    '@ContentSecurityPolicy()',
    layer.policy,
    below ?? { directives: {}, reportOnly: false },
  );
}

/** The headers that depend on what a response is. */
export type PolicyHeaders = Readonly<
  Partial<Record<typeof ENFORCED | typeof REPORT_ONLY | 'X-Frame-Options' | 'Referrer-Policy', HeaderValue>>
>;

export function policyHeaders(
  policy: ResolvedPolicy | undefined,
  reportOnly: ResolvedPolicy | undefined,
  framing: Framing,
  referrer: HeaderValue,
): PolicyHeaders {
  const enforced = policy?.reportOnly === false ? policy.directives : undefined;
  const reported = [policy?.reportOnly === true ? policy : undefined, reportOnly].filter(
    each => each !== undefined,
  );
  // `X-Frame-Options` cannot name origins, so the directive is sent where the policy is off.
  const framed = framing.isSet && framing.ancestors ? { [FRAME_ANCESTORS]: framing.ancestors } : undefined;
  // A policy of a route without the directive does not allow frames that the app forbids.
  const sent =
    enforced && framed && !(FRAME_ANCESTORS in enforced) ? { ...enforced, ...framed } : (enforced ?? framed);
  return {
    'X-Frame-Options': frameOptionsOf(sent?.[FRAME_ANCESTORS] ?? framing.ancestors),
    'Referrer-Policy': referrer,
    [ENFORCED]: sent && serializePolicy(sent),
    // A comma separates policies (CSP Level 3, section 3.2).
    [REPORT_ONLY]: reported.map(each => serializePolicy(each.directives)).join(', ') || undefined,
  };
}

/** The headers that pages and other responses have in common. */
export const commonTo = (one: PolicyHeaders, other: PolicyHeaders): PolicyHeaders =>
  Object.fromEntries(
    Object.entries(one).map(([name, value]) => [
      name,
      value === other[name as keyof PolicyHeaders] ? value : undefined,
    ]),
  );
