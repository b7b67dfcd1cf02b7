/** The functions of `jose` that are used. The package is loaded only if tokens are configured. */
export type Jose = Pick<
  typeof import('jose'),
  'compactVerify' | 'CompactSign' | 'calculateJwkThumbprint' | 'exportJWK'
>;

export function loadJose(): Promise<Jose> {
  return import('jose');
}
