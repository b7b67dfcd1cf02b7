/* How far an audit file was confirmed, in a file of its own beside it (FILE.head): what a cut tail is found by. Two slots are written in
 * turn, so that a write which power loss tears leaves the one before. */
import type { ChainAlgorithm, Sealer } from './chain.js';

export interface ChainHead {
  /** The number and the hash of the last confirmed line; 0 and the genesis for none. */
  readonly seq: number;
  readonly hash: string;
  /** The number of the file's first line. */
  readonly begins: number;
  /** Where its last confirmed line ends. */
  readonly bytes: number;
  readonly algorithm: ChainAlgorithm;
}

export const SLOT_BYTES = 512;

export function serializeHead(
  sealer: Sealer,
  { seq, hash, begins, bytes }: Omit<ChainHead, 'algorithm'>,
): Buffer {
  const parts = { seq, hash, begins, bytes, algorithm: sealer.algorithm };
  const seal = sealer.hash(`head:${JSON.stringify(parts)}`);
  return Buffer.from(`${JSON.stringify({ ...parts, seal }).padEnd(SLOT_BYTES - 1)}\n`, 'latin1');
}

export type HeadReading =
  | { readonly found: true; readonly head: ChainHead; readonly slot: 0 | 1; readonly damaged: boolean }
  /** `algorithm`: what the head says it was made with, where a key is missing or is not the one. */
  | { readonly found: false; readonly algorithm: ChainAlgorithm | undefined };

/** The newest slot that is whole. */
export function readHead(sealer: Sealer, content: Buffer): HeadReading {
  const slots = [0, 1].map(index => content.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES));
  let best: { head: ChainHead; slot: 0 | 1 } | undefined;
  let damaged = content.length > 2 * SLOT_BYTES;
  let algorithm: ChainAlgorithm | undefined;
  for (const [index, slot] of slots.entries()) {
    if (slot.length === 0 && index === 1) continue;
    const head = readSlot(sealer, slot);
    if (head === undefined) {
      damaged = true;
      const named = /"algorithm":"((?:hmac-)?sha256)"/.exec(slot.toString('latin1'))?.[1];
      algorithm ??= named as ChainAlgorithm | undefined;
    } else if (
      best === undefined ||
      head.seq > best.head.seq ||
      (head.seq === best.head.seq && head.begins > best.head.begins)
    ) {
      best = { head, slot: index as 0 | 1 };
    }
  }
  return best === undefined ? { found: false, algorithm } : { found: true, ...best, damaged };
}

function readSlot(sealer: Sealer, slot: Buffer): ChainHead | undefined {
  const text = slot.toString('latin1');
  if (slot.length !== SLOT_BYTES || !text.endsWith('\n')) return undefined;
  try {
    const { seal, ...head } = JSON.parse(text) as ChainHead & { seal: string };
    // As it was written, to the last blank: else a changed byte of the padding would pass.
    return serializeHead(sealer, head).equals(slot) && typeof seal === 'string' ? head : undefined;
  } catch {
    return undefined;
  }
}
