/* What Redis runs: any number of decisions in one call, in order, each over all of its policies, taken whole or not at all. The rules are those
 * of src/rate-limit (sliding-window.ts, fixed-window.ts, token-bucket.ts, blocking-window.ts), to the same numbers.
 *
 * KEYS    one for each client and scope: all of its policies live in one string that expires with the last of them
 * ARGV[1] JSON [policies, steps]
 *         policies  [id, rule, limit, windowMs, burst, blockMs] each
 *         steps     for each decision: the number of its charges (negative: they are given back), then for each charge
 *                   its key, its cost, the number of its policies and the policies
 * ARGV[2] milliseconds in place of the server's clock, for tests; empty otherwise. Keys then live ten minutes longer, since they
 *         expire by the server's
 * Reply   for each decision, charge and policy: what remains, and the milliseconds to its reset; -1 - milliseconds if the policy is
 *         violated, NEVER if the cost is above the whole limit
 *
 * A string is records of: id (5 characters), length (1 byte), state. States, numbers unsigned and big-endian:
 *   window   last charge (6, ticks), size of a full batch (4), hits in the newest batch (4), the low 16 bits of each batch's tick
 *   blocking blocked until (6, ms), then a window
 *   fixed    closes at (6, ms), hits (4)
 *   bucket   moment (6, ms), tokens owed at that moment (double)
 * A window's batches keep the size they were made with. The first charge under another limit cuts them anew; a hit never leaves
 * sooner for it. */
import { createHash } from 'node:crypto';

export const BATCHES = 14;
export const MAX_TICKS = 32_767;
/** Beyond every wait, and exact in every client. */
export const NEVER = -(2 ** 50);
/** Keys of one route whose window is a function of the request could hold ever more records; the surplus is dropped. */
const MAX_RECORDS = 64;

export const QUOTA_SCRIPT = `
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local byte, sub, char, concat = string.byte, string.sub, string.char, table.concat
local pack, unpack = struct.pack, struct.unpack
local call = redis.call

local now = tonumber(ARGV[2])
local extra = 600000
if not now then
  extra = 0
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local Window = {}

function Window.tick(state, policy)
  return max(floor(now / policy.tickMs), state.last)
end

function Window.read(policy, text, at)
  if text and #text >= at + 13 then
    local last, size, newest = unpack('>I6I4I4', text, at)
    -- A clock that was set back by more than a window leaves a state that means nothing.
    if last - floor(now / policy.tickMs) <= policy.ticks and size > 0 then
      return { last = last, size = size, newest = newest, ring = text, first = at + 14 }
    end
  end
  return { last = 0, size = policy.batch, newest = 0, ring = '', first = 1 }
end

function Window.count(state)
  return (#state.ring - state.first + 1) / 2
end

function Window.age(state, tick, batch)
  local high, low = byte(state.ring, state.first + batch * 2, state.first + batch * 2 + 1)
  return (tick - high * 256 - low) % 65536
end

function Window.clear(state)
  state.ring, state.first, state.newest = '', 1, 0
end

function Window.used(state)
  local count = Window.count(state)
  if count == 0 then return 0 end
  return (count - 1) * state.size + state.newest
end

function Window.available(state, policy)
  local tick, ticks = Window.tick(state, policy), policy.ticks
  if tick - state.last >= ticks then
    Window.clear(state)
    return policy.limit
  end
  while state.first < #state.ring and Window.age(state, tick, 0) >= ticks do
    state.first = state.first + 2
  end
  return policy.limit - Window.used(state)
end

function Window.resize(state, size)
  local used, ring, batches = Window.used(state), {}, 0
  while batches * size < used do
    batches = batches + 1
    local batch = floor((min(batches * size, used) - 1) / state.size)
    ring[batches] = sub(state.ring, state.first + batch * 2, state.first + batch * 2 + 1)
  end
  state.newest = used - max(0, batches - 1) * size
  state.ring, state.first, state.size = concat(ring), 1, size
end

function Window.charge(state, policy, cost)
  if state.size ~= policy.batch then Window.resize(state, policy.batch) end
  local tick, size = Window.tick(state, policy), policy.batch
  local newest, batches = state.newest, Window.count(state)
  local added = 0
  if batches == 0 then newest, added = 0, 1 end
  newest = newest + cost
  if newest > size then
    local more = ceil(newest / size) - 1
    newest, added = newest - more * size, added + more
  end
  if added > 0 then
    local low = tick % 65536
    state.ring = sub(state.ring, state.first) .. string.rep(char(floor(low / 256), low % 256), added)
    state.first = 1
  end
  state.newest, state.last = newest, tick
end

function Window.refund(state, policy, cost)
  local used = max(0, Window.used(state) - cost)
  if used == 0 then return Window.clear(state) end
  local batches = ceil(used / state.size)
  state.ring = sub(state.ring, state.first, state.first + batches * 2 - 1)
  state.first, state.newest = 1, used - (batches - 1) * state.size
end

function Window.untilReleased(state, policy, batch)
  local tick = Window.tick(state, policy)
  return (tick + policy.ticks - Window.age(state, tick, batch)) * policy.tickMs - now
end

function Window.wait(state, policy, cost)
  if cost > policy.limit then return nil end
  local batches = Window.count(state)
  local missing = Window.used(state) + cost - policy.limit
  if batches == 0 or missing <= 0 then return 0 end
  return Window.untilReleased(state, policy, min(ceil(missing / state.size), batches) - 1)
end

function Window.reset(state, policy)
  if Window.count(state) == 0 then return 0 end
  return Window.untilReleased(state, policy, 0)
end

function Window.write(state, policy)
  if Window.count(state) == 0 then return nil end
  return pack('>I6I4I4', state.last, state.size, state.newest) .. sub(state.ring, state.first),
    (state.last + policy.ticks) * policy.tickMs - now
end

local Blocking = setmetatable({}, { __index = Window })

function Blocking.read(policy, text)
  local state = Window.read(policy, text, 7)
  state.till = text and #text >= 6 and unpack('>I6', text) or 0
  return state
end

function Blocking.available(state, policy)
  if state.till > now then return 0 end
  if state.till > 0 then
    state.till = 0
    Window.clear(state)
  end
  return Window.available(state, policy)
end

function Blocking.refused(state, policy)
  if state.till <= now then state.till = now + policy.blockMs end
end

function Blocking.wait(state, policy, cost)
  if state.till > now then return state.till - now end
  return Window.wait(state, policy, cost)
end

function Blocking.reset(state, policy)
  if state.till > now then return state.till - now end
  return Window.reset(state, policy)
end

function Blocking.write(state, policy)
  local window, lasting = Window.write(state, policy)
  if not window and state.till <= now then return nil end
  return pack('>I6', state.till) .. (window or ''), max(lasting or 0, state.till - now)
end

local Fixed = {}

function Fixed.read(policy, text)
  if not text or #text < 10 then return { closes = 0, hits = 0 } end
  local closes, hits = unpack('>I6I4', text)
  return { closes = min(closes, now + ceil(policy.windowMs)), hits = hits }
end

function Fixed.available(state, policy)
  if state.hits > 0 and now >= state.closes then state.hits = 0 end
  return policy.limit - state.hits
end

function Fixed.charge(state, policy, cost)
  if state.hits == 0 then state.closes = now + ceil(policy.windowMs) end
  state.hits = state.hits + cost
end

function Fixed.refund(state, policy, cost)
  state.hits = max(0, state.hits - cost)
end

function Fixed.wait(state, policy, cost)
  if cost > policy.limit then return nil end
  if state.hits + cost <= policy.limit then return 0 end
  return state.closes - now
end

function Fixed.reset(state)
  if state.hits == 0 then return 0 end
  return state.closes - now
end

function Fixed.write(state)
  if state.hits == 0 then return nil end
  return pack('>I6I4', state.closes, state.hits), state.closes - now
end

local Bucket = {}

function Bucket.read(policy, text)
  if not text or #text < 14 then return { owed = 0 } end
  local moment, owed = unpack('>I6d', text)
  return { owed = max(0, owed - max(0, now - moment) / policy.msPerToken) }
end

function Bucket.available(state, policy)
  -- A sum of fractions may miss a whole token by a rounding error; a millionth of one is forgiven.
  return floor(policy.burst - state.owed + 1e-6)
end

function Bucket.charge(state, policy, cost)
  state.owed = state.owed + cost
end

function Bucket.refund(state, policy, cost)
  state.owed = max(0, state.owed - cost)
end

function Bucket.wait(state, policy, cost)
  if cost > policy.burst then return nil end
  return max(0, (state.owed + cost - policy.burst) * policy.msPerToken)
end

function Bucket.reset(state, policy)
  local available = Bucket.available(state, policy)
  if available >= policy.burst then return 0 end
  return Bucket.wait(state, policy, available + 1)
end

function Bucket.write(state, policy)
  if state.owed == 0 then return nil end
  return pack('>I6d', now, state.owed), state.owed * policy.msPerToken
end

local RULES = { s = Window, b = Blocking, f = Fixed, t = Bucket }

local input = cjson.decode(ARGV[1])
local policies, steps = {}, input[2]
for index, parts in ipairs(input[1]) do
  local windowMs = parts[4]
  local tickMs = ceil(windowMs / ${MAX_TICKS})
  policies[index] = {
    id = parts[1], rule = RULES[parts[2]], limit = parts[3], windowMs = windowMs, burst = parts[5], blockMs = parts[6],
    batch = ceil(parts[3] / ${BATCHES}), tickMs = tickMs, ticks = max(1, floor(windowMs / tickMs)),
    msPerToken = windowMs / parts[3],
  }
end

-- What the keys hold: records by their id, as text until a policy reads them.
local stored, read, changed = {}, {}, {}

local function load(key)
  local records = {}
  local text = call('GET', KEYS[key])
  if text then
    local at, count = 1, 0
    while at + 5 <= #text and count < ${MAX_RECORDS} do
      local length = byte(text, at + 5)
      records[sub(text, at, at + 4)] = sub(text, at + 6, at + 5 + length)
      at, count = at + 6 + length, count + 1
    end
  end
  stored[key], read[key] = records, {}
  return read[key]
end

local function stateOf(key, policy)
  local states = read[key] or load(key)
  local entry = states[policy.id]
  if not entry then
    entry = { policy = policy, state = policy.rule.read(policy, stored[key][policy.id], 1) }
    states[policy.id] = entry
  end
  entry.policy = policy
  return entry.state
end

local function save(key)
  local parts, lasting, foreign = {}, 0, false
  for id, entry in pairs(read[key]) do
    local text, ms = entry.policy.rule.write(entry.state, entry.policy)
    if text then
      parts[#parts + 1] = id .. char(#text) .. text
      lasting = max(lasting, ms)
    end
  end
  for id, text in pairs(stored[key]) do
    if not read[key][id] then
      parts[#parts + 1] = id .. char(#text) .. text
      foreign = true
    end
  end
  if foreign then lasting = max(lasting, call('PTTL', KEYS[key])) end
  if #parts == 0 then
    call('DEL', KEYS[key])
  else
    call('SET', KEYS[key], concat(parts), 'PX', max(1, ceil(lasting)) + extra)
  end
end

local reply, size, at = {}, 0, 1

local function tell(remaining, ms, violated)
  reply[size + 1] = max(0, remaining)
  if not ms then
    reply[size + 2] = ${NEVER}
  else
    -- What rounding alone adds is no millisecond more.
    ms = ceil(ms - 1e-6)
    reply[size + 2] = violated and -1 - ms or ms
  end
  size = size + 2
end

local function offers(charges)
  local enough = true
  local cursor = at + 1
  for _ = 1, charges do
    local key, cost, last = steps[cursor], steps[cursor + 1], cursor + 2 + steps[cursor + 2]
    for index = cursor + 3, last do
      local policy = policies[steps[index]]
      if policy.rule.available(stateOf(key, policy), policy) < cost then enough = false end
    end
    cursor = last + 1
  end
  return enough
end

local function settle(key, policy, cost, granted)
  local state, rule = stateOf(key, policy), policy.rule
  local offered = rule.available(state, policy)
  if granted then
    if cost > 0 then
      rule.charge(state, policy, cost)
      changed[key] = true
    end
    return tell(offered - cost, rule.reset(state, policy))
  end
  if offered >= cost then return tell(offered, rule.reset(state, policy)) end
  if rule.refused then
    rule.refused(state, policy)
    changed[key] = true
  end
  tell(offered, rule.wait(state, policy, cost), true)
end

local function giveBack(key, policy, cost)
  local state, rule = stateOf(key, policy), policy.rule
  rule.available(state, policy)
  rule.refund(state, policy, cost)
  changed[key] = true
  tell(rule.available(state, policy), rule.reset(state, policy))
end

while at <= #steps do
  local charges = steps[at]
  local refunds = charges < 0
  if refunds then charges = -charges end
  local granted = not refunds and offers(charges)
  at = at + 1
  for _ = 1, charges do
    local key, cost, last = steps[at], steps[at + 1], at + 2 + steps[at + 2]
    for index = at + 3, last do
      if refunds then
        giveBack(key, policies[steps[index]], cost)
      else
        settle(key, policies[steps[index]], cost, granted)
      end
    end
    at = last + 1
  end
end

for key in pairs(changed) do save(key) end
return reply
`;

export const QUOTA_SCRIPT_SHA = createHash('sha1').update(QUOTA_SCRIPT).digest('hex');
