/*
 * The script for the usual call: one request of cost 1 over a few sliding windows under one key. It makes the decision that the script of
 * quota-script.ts makes, writes the same bytes, and takes half of its time, because it parses no JSON and creates no table or function.
 * It replies nothing to a text that is unusual (other records, a changed limit, a debt, a clock that was set back); the other script then
 * decides.
 *
 * KEYS[1]  the key of the charge
 * ARGV[1]  the windows, `encodeWindow()` each
 * ARGV[2]  as for the other script, if a test sets the clock
 * Reply    as of the other script
 */
import { createHash } from 'node:crypto';
import type { Policy } from '../../limiter/policy.js';
import { BATCHES, MAX_LIVES, MAX_TICKS, type Script } from './script.js';

const MAX_WINDOWS = 3;
const WINDOW_LENGTH = 22;

/** Digits to the base of 128 are characters of one byte each, which Lua reads faster than decimals. */
function digits(value: number, count: number): string {
  let text = '';
  for (let rest = value; text.length < count; rest = Math.floor(rest / 128)) {
    text = String.fromCharCode(rest % 128) + text;
  }
  return text;
}

function encodeWindow({ limit, windowMs }: Policy, id: string): string {
  const tickMs = Math.ceil(windowMs / MAX_TICKS);
  const ticks = Math.max(1, Math.floor(windowMs / tickMs));
  return id + digits(limit, 5) + digits(Math.ceil(limit / BATCHES), 5) + digits(tickMs, 4) + digits(ticks, 3);
}

const isUsual = ({ algorithm, limit, windowMs, blockMs = 0, shadow }: Policy): boolean =>
  algorithm === 'sliding-window' &&
  blockMs === 0 &&
  !shadow &&
  Number.isInteger(limit) &&
  limit >= 1 &&
  limit < 2 ** 35 &&
  windowMs < 2 ** 42;

/** The first argument of the script, or `undefined` for policies that it does not decide. */
export function encodeWindows(policies: readonly Policy[], ids: readonly string[]): string | undefined {
  if (policies.length === 0 || policies.length > MAX_WINDOWS || !policies.every(isUsual)) return undefined;
  return policies.map((policy, index) => encodeWindow(policy, ids[index]!)).join('');
}

export const loneScriptOf = (windows: number): Script => SCRIPTS[windows - 1]!;

/** The names of variables of one window begin with its letter: Lua has no cheaper structure than a local variable. */
const readWindow = (w: string, index: number): string => `
local ${w}a, ${w}b, ${w}c, ${w}d, ${w}e, g1, g2, g3, g4, g5, h1, h2, h3, h4, h5, k1, k2, k3, k4, m1, m2, m3 =
  byte(given, ${index * WINDOW_LENGTH + 1}, ${(index + 1) * WINDOW_LENGTH})
local ${w}limit = (((g1 * 128 + g2) * 128 + g3) * 128 + g4) * 128 + g5
local ${w}batch = (((h1 * 128 + h2) * 128 + h3) * 128 + h4) * 128 + h5
local ${w}tickMs, ${w}ticks = ((k1 * 128 + k2) * 128 + k3) * 128 + k4, (m1 * 128 + m2) * 128 + m3
local ${w}tick = (now - now % ${w}tickMs) / ${w}tickMs
local ${w}at, ${w}from, ${w}after, ${w}newest, ${w}age, ${w}used, ${w}count = at, at, at, 0, 0, 0, 0
if text then
  local a, b, c, d, e, length, s1, s2, s3, s4, l1, l2, l3, l4, l5, l6, n1, n2, n3, n4, high, low = byte(text, at, at + 21)
  if not low or a ~= ${w}a or b ~= ${w}b or c ~= ${w}c or d ~= ${w}d or e ~= ${w}e
    or ((s1 * 256 + s2) * 256 + s3) * 256 + s4 ~= ${w}batch then return false end
  local passed = ${w}tick - (((((l1 * 256 + l2) * 256 + l3) * 256 + l4) * 256 + l5) * 256 + l6)
  ${w}newest = ((n1 * 256 + n2) * 256 + n3) * 256 + n4
  if passed < 0 or ${w}newest > ${w}batch then return false end
  ${w}from, ${w}after = at + 20, at + 6 + length
  if passed < ${w}ticks then
    ${w}age = (${w}tick - high * 256 - low) % 65536
    while ${w}age >= ${w}ticks do
      ${w}from = ${w}from + 2
      if ${w}from >= ${w}after then break end
      high, low = byte(text, ${w}from, ${w}from + 1)
      ${w}age = (${w}tick - high * 256 - low) % 65536
    end
  else
    ${w}from = ${w}after
  end
  ${w}count = (${w}after - ${w}from) / 2
  if ${w}count > 0 then ${w}used = (${w}count - 1) * ${w}batch + ${w}newest else ${w}newest, ${w}age = 0, 0 end
  at = ${w}after
end
local ${w}room = ${w}limit - ${w}used
if ${w}room < 0 then return false end
local ${w}lasting = (${w}tick + ${w}ticks) * ${w}tickMs - now
local ${w}left = ${w}lasting - ${w}age * ${w}tickMs
if ${w}lasting > lasting then lasting = ${w}lasting end
`;

/** Whether a charge changes no more than the ten bytes of the last tick and the hits in the newest batch. */
const hasRoom = (w: string): string => `${w}count > 0 and ${w}newest < ${w}batch and ${w}from == ${w}at + 20`;

const writeWindow = (w: string, index: number): string => `
local ${w}ring = sub(text or '', ${w}from, ${w}after - 1)
if ${w}count == 0 or ${w}newest == ${w}batch then
  local low16 = ${w}tick % 65536
  ${w}ring, ${w}count, ${w}newest = ${w}ring .. char((low16 - low16 % 256) / 256, low16 % 256), ${w}count + 1, 0
end
local ${w}head = pack('>BI4I6I4', 14 + 2 * ${w}count, ${w}batch, ${w}tick, ${w}newest + 1)
local ${w}id = sub(given, ${index * WINDOW_LENGTH + 1}, ${index * WINDOW_LENGTH + 5})
`;

const deniedReply = (w: string): string =>
  `${w}room, ${w}room == 0 and -1 - ${w}left or ${w}used > 0 and ${w}left or 0`;

function createScript(windows: number): Script {
  const letters = ['p', 'q', 'r'].slice(0, windows);
  const all = (part: (letter: string, index: number) => string, separator = ''): string =>
    letters.map(part).join(separator);
  // From the first window's bytes that change to the last's, with what lies between them as it was.
  const changed = letters
    .map((w, index) => {
      const next = letters[index + 1];
      const between = next === undefined ? '' : ` .. string.sub(text, ${w}at + 20, ${next}at + 9)`;
      return `pack('>I6I4', ${w}tick, ${w}newest + 1)${between}`;
    })
    .join(' .. ');
  const text = `
local call, byte, pack = redis.call, string.byte, struct.pack
local key, given, now, extra = KEYS[1], ARGV[1], ARGV[2], 600000
if now then
  now = now - now % 1
else
  local time = call('TIME')
  local micros = time[2] + 0
  now, extra = time[1] * 1000 + (micros - micros % 1000) / 1000, 0
end
-- A key of another type is answered as a table, which has no characters.
local text, at, lasting, lives = redis.pcall('GET', key), 6, 0, 0
if text then
  if #text < ${5 + windows * 22} then return false end
  local a, b, c, d, e = byte(text, 1, 5)
  lives = ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 100
end
${all(readWindow)}
if text and at ~= #text + 1 then return false end
if ${all(w => `${w}room == 0`, ' or ')} then
  return { ${all(deniedReply, ', ')} }
end
if now + lasting <= lives and ${all(hasRoom, ' and ')} then
  call('SETRANGE', key, 15, ${changed})
else
  local sub, char = string.sub, string.char
  ${all(writeWindow)}
  local record = ${all(w => `${w}id .. ${w}head .. ${w}ring`, ' .. ')}
  if now + lasting <= lives then
    call('SET', key, sub(text, 1, 5) .. record, 'KEEPTTL')
  else
    lives = math.min(math.ceil((now + lasting + math.max(1000, lasting / 8)) / 100), ${MAX_LIVES})
    call('SET', key, pack('>I5', lives) .. record, 'PX', string.format('%d', lives * 100 - now + extra))
  end
end
return { ${all(w => `${w}room - 1, ${w}left`, ', ')} }
`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

const SCRIPTS: readonly Script[] = Array.from({ length: MAX_WINDOWS }, (_, index) => createScript(index + 1));
