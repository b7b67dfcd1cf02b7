import type { ResolvedCors } from './cors.options.js';

/** Adds a request header that preflights grant. */
export function allowHeader(cors: ResolvedCors, header: string): ResolvedCors {
  const names = cors.allowHeaders.toLowerCase().split(', ');
  if (names.includes(header.toLowerCase())) return cors;
  return { ...cors, allowHeaders: [cors.allowHeaders, header].filter(text => text !== '').join(', ') };
}
