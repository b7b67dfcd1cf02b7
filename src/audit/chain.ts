/* The chain of an audit file: each line carries its number, the hash of the line before it, and its own hash over both and over what it
 * records. The hash is keyed (HMAC) where there is a key. */
import { createHash, createHmac } from 'node:crypto';

export const GENESIS = '0'.repeat(64);

export type ChainAlgorithm = 'sha256' | 'hmac-sha256';

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
}

/** The place of a line in the chain, given without its end; `undefined` for a line whose hash is not its own. */
export function openLine(sealer: Sealer, bytes: Buffer): ChainLine | undefined {
  const end = bytes.toString('latin1', Math.max(0, bytes.length - PLACE_LENGTH));
  const match = PLACE.exec(end);
  if (match === null) return undefined;
  const [, seq, prev, hash] = match as unknown as [string, string, string, string];
  const isIntact = sealer.hash(bytes.subarray(0, bytes.length - SEAL_LENGTH)) === hash;
  return isIntact ? { seq: Number(seq), prev, hash } : undefined;
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
    if (line === undefined || line.seq !== last.seq + 1 || line.prev !== last.hash) break;
    last = { seq: line.seq, hash: line.hash, bytes: end + 1 };
  }
  return last;
}
