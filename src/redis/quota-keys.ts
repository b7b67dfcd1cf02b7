/* The keys in Redis: `<prefix>{<partition key>}<scope>`. In a Redis Cluster the part in braces chooses the slot, so all counts of one
 * client or tenant lie in one slot. */
import { createHash } from 'node:crypto';
import { joinKey } from '../common/join-key.js';
import type { StoredCharge } from '../limiter/store/quota-store.js';

/** Addresses and short names of scopes are part of the key as they are. Anything else may be long, personal or a secret, and is hashed. */
const ADDRESS = /^[\d.:a-f]{1,39}(?:\/\d{1,3})?$|^global$/;
const PLAIN_SCOPE = /^[\w.:#/$-]{1,64}$/;
const HASH_LENGTH = 22;

/** The key of a charge. Its partition key and scope bring no braces of their own. */
export function keyOf(prefix: string, { key, scope, partitionKey, isAddress }: StoredCharge): string {
  if (partitionKey === undefined || scope === undefined) return `${prefix}{${hashOf(key)}}`;
  const tag = isAddress === true && ADDRESS.test(partitionKey) ? partitionKey : hashOf(partitionKey);
  return `${prefix}{${tag}}${PLAIN_SCOPE.test(scope) ? scope : hashOf(scope)}`;
}

/** The key of something remembered. No scope ends like it, so it is the key of no count. */
export const memoryKeyOf = (prefix: string, key: string): string => `${prefix}{${hashOf(key)}}!`;

/** 128 bits of the SHA-256. The tilde distinguishes a hash from plain text. */
function hashOf(text: string): string {
  // In UTF-8 all lone surrogates would be the same character: joinKey() escapes them.
  return `~${createHash('sha256').update(joinKey(text)).digest('base64url').slice(0, HASH_LENGTH)}`;
}

/** The slot of a key in a Redis Cluster: CRC-16/XMODEM of the part in braces. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const tag = key.slice(open + 1, key.indexOf('}', open));
  let crc = 0;
  for (const byte of Buffer.from(tag)) crc = ((crc << 8) ^ CRC_TABLE[((crc >>> 8) ^ byte) & 0xff]!) & 0xffff;
  return crc & 16_383;
}

/** Groups items by the slot of their key. */
export function groupBySlot<T>(items: readonly T[], keyOfItem: (item: T) => string): readonly T[][] {
  const slots = new Map<number, T[]>();
  for (const item of items) {
    const slot = slotOf(keyOfItem(item));
    const group = slots.get(slot);
    if (group === undefined) slots.set(slot, [item]);
    else group.push(item);
  }
  return [...slots.values()];
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc & 0xffff;
});
