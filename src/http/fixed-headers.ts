/* The module's headers that do not depend on the handler: precomputed by content type, status and connection. */
import type { FixedHeaders, HeaderTemplate } from '../common/header-template.js';

interface FixedHeadersState {
  readonly id: string;
  readonly template: HeaderTemplate;
  readonly client: { readonly secure: boolean };
}

/** The headers of an error response without a response object, as alternating names and values. */
export function fixedHeaders(state: FixedHeadersState): readonly string[] {
  return [...requestIdPair(state), ...fixedHeadersOf(state, undefined, 400).pairs];
}

export function requestIdPair({ id, template }: FixedHeadersState): readonly string[] {
  return id === '' || template.requestIdHeader === undefined ? [] : [template.requestIdHeader, id];
}

export function fixedHeadersOf(
  { template, client }: FixedHeadersState,
  contentType: unknown,
  status: number,
): FixedHeaders {
  const variants = status >= 400 ? template.errors : template;
  const variant = isHtml(contentType) ? variants.html : variants.data;
  return client.secure ? variant.secure : variant.plain;
}

function isHtml(contentType: unknown): boolean {
  return typeof contentType === 'string' && /^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(contentType);
}
