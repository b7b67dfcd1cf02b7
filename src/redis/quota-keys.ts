/* Under which keys counts stand in Redis: `<prefix>{<owner>}<scope>`. In Redis Cluster the part in braces chooses the slot, so all counts
 * of one owner (a client, a tenant) lie together. */
import { createHash } from 'node:crypto';
import { joinKey } from '../common/join-key.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';

/** What may stand in a key as it is: addresses and short names of scopes. Anything else may be long, personal or a secret. */
const ADDRESS = /^[\d.:a-f]{1,39}(?:\/\d{1,3})?$|^global$/;
const PLAIN_SCOPE = /^[\w.:#/$-]{1,64}$/;
const HASH_LENGTH = 22;

/** The key of a charge, without braces in its owner and scope. */
export function keyOf(prefix: string, { key, scope, partitionKey, isAddress }: StoredCharge): string {
  if (partitionKey === undefined || scope === undefined) return `${prefix}{${hashOf(key)}}`;
  const tag = isAddress === true && ADDRESS.test(partitionKey) ? partitionKey : hashOf(partitionKey);
  return `${prefix}{${tag}}${PLAIN_SCOPE.test(scope) ? scope : hashOf(scope)}`;
}

/** 128 bits of its SHA-256 stand for what is not plain; the sign in front keeps the two apart. */
function hashOf(text: string): string {
  // The hash is of UTF-8, in which all lone surrogates are one character.
  return `~${createHash('sha256').update(joinKey(text)).digest('base64url').slice(0, HASH_LENGTH)}`;
}

/** The slot of Redis Cluster that a key of `keyOf` lies in: CRC-16/XMODEM of what stands between the braces. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const tag = key.slice(open + 1, key.indexOf('}', open));
  let crc = 0;
  for (const byte of Buffer.from(tag)) crc = ((crc << 8) ^ CRC_TABLE[((crc >>> 8) ^ byte) & 0xff]!) & 0xffff;
  return crc & 16_383;
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc & 0xffff;
});
