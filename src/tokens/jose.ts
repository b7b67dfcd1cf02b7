/** What is used of `jose`. The package is loaded only where tokens are configured. */
export type Jose = Pick<
  typeof import('jose'),
  'compactVerify' | 'CompactSign' | 'calculateJwkThumbprint' | 'exportJWK'
>;

export function loadJose(): Promise<Jose> {
  return import('jose');
}
