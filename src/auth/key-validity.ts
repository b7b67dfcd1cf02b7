import type { ApiKeyRecord } from '../identity/api-key-store.js';
import type { RejectedCredential } from '../identity/rejected-credential.js';

/** Why a key with the right secret is not valid. All fields are read in any case, so that each record takes the same steps. */
export function invalidityOf(
  record: ApiKeyRecord | undefined,
  nowMs: number,
): RejectedCredential | undefined {
  const disabled = record?.agent.disabled === true;
  const revoked = record?.revoked === true;
  const expired = record?.expiresMs !== undefined && nowMs >= record.expiresMs;
  const early = record?.notBeforeMs !== undefined && nowMs < record.notBeforeMs;
  if (revoked || disabled) return 'revoked';
  if (expired) return 'expired';
  return early ? 'not-yet-valid' : undefined;
}
