/*
 * The Lua script that Redis runs for every call. One call carries any number of decisions and corrections. Each covers all of its
 * policies, and a decision charges all of them or none. The algorithms are those of src/limiter/algorithms, to the same numbers.
 *
 * KEYS     One for each charge of each item, in order. All policies of one client and scope share one key, which expires with the last.
 * ARGV[1]  JSON [policies, runs].
 *          policies: [id, rule, limit, windowMs, burst, blockMs, shadow (1 or 0)] each.
 *          runs: items that differ by their keys only, as numbers in a row: operation, number of items, charges of each item, age in
 *          milliseconds of what is settled, units to settle; then for each charge its cost, number of policies and the policies.
 * ARGV[2]  Unix time in milliseconds that replaces the server's clock in tests; empty otherwise. Keys then live ten minutes longer,
 *          because Redis expires them by its own clock.
 * Reply    Two numbers for each item, charge and policy: the units that remain, and the milliseconds to the reset. For a violated policy
 *          the second is -1 - milliseconds, or NEVER if the cost exceeds the whole limit.
 *
 * A key holds one text: the moment until which it lives (5 bytes, tenths of seconds), then one record for each policy: id (5 characters),
 * length of the state (1 byte), state. States are unsigned whole numbers, big-endian:
 *
 * sliding window   size of a full batch (4 bytes), tick of the last charge (6), hits in the newest batch (4), 16 bits of each batch's tick
 * blocking window  end of the block (6, ms), then a sliding window
 * fixed window     end of the window (6, ms), hits (4)
 * token bucket     moment (6, ms), tokens owed at that moment (double)
 * concurrency      period (6), then for each period in which leases began: its age (1), leases (4)
 *
 * The batches of a window keep the size that they were made with. The first charge under another limit cuts them anew, so that no hit
 * leaves the window sooner than it would have.
 *
 * Writing an expiry costs as much as writing the rest, so a key lives a little longer than it must, and most writes keep its expiry.
 */
import { createHash } from 'node:crypto';
import { CONSUME, RULE_RUN } from './rule-run.js';
import { BATCHES, MAX_LIVES, MAX_TICKS, type Script } from './script.js';
import { WINDOW_RUN } from './window-run.js';

/** Later than every reset, and exact in every client. */
export const NEVER = -(2 ** 50);
/**
 * A process knows when it charged by its own clock, which includes the time that the call took. The charge may be younger by this, and
 * by at most a hundredth of the window: a window that the charge itself opened must count as open at that moment.
 */
const SLACK_MS = 100;
/** Keys that one MGET reads: Lua's stack holds a few thousand values. */
const MAX_GET = 1_000;

const TEXT = `
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local byte, sub, char, rep, concat = string.byte, string.sub, string.char, string.rep, table.concat
local pack, unpack, spread = struct.pack, struct.unpack, unpack
local call = redis.call
local NEVER = ${NEVER}

local now = tonumber(ARGV[2])
local extra, slack = 600000, 0
if now then
  now = floor(now)
else
  extra, slack = 0, ${SLACK_MS}
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local input = cjson.decode(ARGV[1])
local policies, runs = input[1], input[2]
for index = 1, #policies do
  local given = policies[index]
  local id, limit, windowMs = given[1], given[3], given[4]
  local batch, tickMs = ceil(limit / ${BATCHES}), ceil(windowMs / ${MAX_TICKS})
  local ticks, tick = max(1, floor(windowMs / tickMs)), floor(now / tickMs)
  local low16, a, b, c, d, e = tick % 65536, byte(id, 1, 5)
  -- All fields at once: a table that grows costs as much as a decision.
  policies[index] = {
    id = id, number = (((a * 256 + b) * 256 + c) * 256 + d) * 256 + e, letter = given[2], rule = false, limit = limit,
    windowMs = windowMs, burst = given[5], blockMs = given[6], shadow = given[7] == 1, msPerToken = windowMs / limit,
    batch = batch, maxBatches = ceil(limit / batch), tickMs = tickMs, ticks = ticks, tick = tick, low16 = low16,
    moment = char(floor(low16 / 256), low16 % 256), lasting = (tick + ticks) * tickMs - now,
  }
end
-- before: the text of each key before the call, by place. written: what the call has written, by key; true means "read it again".
-- MGET answers a key of another type as missing, where GET would fail every decision of the call.
local before, written = nil, {}
if #KEYS <= ${MAX_GET} then
  before = call('MGET', spread(KEYS))
else
  before = {}
  for first = 1, #KEYS, ${MAX_GET} do
    local last = min(first + ${MAX_GET - 1}, #KEYS)
    for index, text in ipairs(call('MGET', spread(KEYS, first, last))) do before[first + index - 1] = text end
  end
end

local function textAt(place)
  local text = written[KEYS[place]]
  if not text then return before[place] or '' end
  if text == true then return call('GET', KEYS[place]) end
  return text
end

-- The text of a key if its records are whole. Any other text was not written by this script and is ignored.
local function recordsAt(place)
  local text = textAt(place)
  local at, last = 6, #text
  while at + 5 <= last do at = at + 6 + byte(text, at + 5) end
  return at == last + 1 and text or ''
end

-- The parts of the text to write; the first is the moment until which the key lives.
local parts = {}

-- Writes the first count parts to a key that must live for lasting milliseconds.
local function put(key, old, count, lasting)
  local lives = 0
  if old ~= '' then
    local a, b, c, d, e = byte(old, 1, 5)
    lives = ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 100
  end
  if now + lasting <= lives then
    parts[1] = sub(old, 1, 5)
    local text = concat(parts, '', 1, count)
    written[key] = text
    call('SET', key, text, 'KEEPTTL')
  else
    lives = min(ceil((now + lasting + max(1000, lasting / 8)) / 100), ${MAX_LIVES})
    parts[1] = pack('>I5', lives)
    local text = concat(parts, '', 1, count)
    written[key] = text
    call('SET', key, text, 'PX', string.format('%d', lives * 100 - now + extra))
  end
end
local reply, size = {}, 0
local place, at = 0, 1
${WINDOW_RUN}
${RULE_RUN}
local function areWindows(first, last)
  for index = first, last do
    if policies[runs[index]].letter ~= 's' then return false end
  end
  return true
end

local consumeWindows, carryOut
while at <= #runs do
  local charges, after = runs[at + 2], at + 5
  for _ = 1, charges do after = after + 2 + runs[after + 1] end
  local cost = runs[at + 5]
  local left, first, last = runs[at + 1], at + 7, after - 1
  local onlyWindows = runs[at] == ${CONSUME} and charges == 1 and areWindows(first, last)
  while left > 0 do
    if onlyWindows and first == last and cost > 0 then
      local done = consumeUsual(place, left, cost, policies[runs[first]])
      place, left = place + done, left - done
    end
    if left > 0 then
      if onlyWindows and not consumeWindows then consumeWindows = createWindows() end
      if not onlyWindows or not consumeWindows(place + 1, cost, first, last) then
        if not carryOut then carryOut = createRules() end
        carryOut(at)
      end
      place, left = place + charges, left - 1
    end
  end
  at = after
end

return reply
`;

export const QUOTA_SCRIPT: Script = { text: TEXT, sha: createHash('sha1').update(TEXT).digest('hex') };
