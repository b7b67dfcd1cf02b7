/* The chain of an audit file: each line carries its number, the hash of the line before it, and its own hash over both and over what it
 * records. The hash is keyed (HMAC) where there is a key. */
import { createHash, createHmac } from 'node:crypto';

export const GENESIS = '0'.repeat(64);

type ChainAlgorithm = 'sha256' | 'hmac-sha256';

export class Sealer {
  readonly algorithm: ChainAlgorithm;

  constructor(private readonly key: string | undefined) {
    this.algorithm = key === undefined ? 'sha256' : 'hmac-sha256';
  }

  hash(content: string | Buffer): string {
    const hash = this.key === undefined ? createHash('sha256') : createHmac('sha256', this.key);
    return hash.update(content).digest('hex');
  }
}

/** `,"hash":"<64 digits>"}` */
const SEAL_LENGTH = 75;
/** The longest end of a line that says its place in the chain. */
const PLACE_LENGTH = SEAL_LENGTH + 100;
const PLACE = /,"seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/;

/** A record's JSON as a line of the file, with its end. */
export function sealLine(
  sealer: Sealer,
  text: string,
  seq: number,
  prev: string,
): { readonly line: string; readonly hash: string } {
  const body = `${text.slice(0, -1)},"seq":${seq},"prev":"${prev}"`;
  const hash = sealer.hash(body);
  return { line: `${body},"hash":"${hash}"}\n`, hash };
}

export interface ChainLine {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  /** Whether the hash is that of the line. */
  readonly intact: boolean;
}

/** What a line without its end says of itself; `undefined` for one that is none of a chain. */
export function openLine(sealer: Sealer, bytes: Buffer): ChainLine | undefined {
  const end = bytes.toString('latin1', Math.max(0, bytes.length - PLACE_LENGTH));
  const match = PLACE.exec(end);
  if (match === null) return undefined;
  const [, seq, prev, hash] = match as unknown as [string, string, string, string];
  const intact = sealer.hash(bytes.subarray(0, bytes.length - SEAL_LENGTH)) === hash;
  return { seq: Number(seq), prev, hash, intact };
}

/** The whole lines at the beginning of some bytes that continue a chain. */
export function readContinuation(
  sealer: Sealer,
  bytes: Buffer,
  { seq, hash }: { readonly seq: number; readonly hash: string },
): { readonly seq: number; readonly hash: string; readonly bytes: number } {
  let last = { seq, hash, bytes: 0 };
  for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, last.bytes)) {
    const line = openLine(sealer, bytes.subarray(last.bytes, end));
    if (line === undefined || !line.intact || line.seq !== last.seq + 1 || line.prev !== last.hash) break;
    last = { seq: line.seq, hash: line.hash, bytes: end + 1 };
  }
  return last;
}

/* How far an audit file was confirmed, in a file of its own beside it (FILE.head): what a cut tail is found by. Two slots are written in
 * turn, so that a write which power loss tears leaves the one before. */

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

type HeadReading =
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
