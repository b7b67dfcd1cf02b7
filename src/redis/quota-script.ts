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
 * A string is records of: id (5 characters), length (1 byte), state. States, whole numbers unsigned, big-endian:
 *   window   last charge (6 bytes, ticks), size of a full batch (4), hits in the newest batch (4), 16 bits of each batch's tick
 *   blocking blocked until (6, ms), then a window
 *   fixed    closes at (6, ms), hits (4)
 *   bucket   moment (6, ms), tokens owed at that moment (double)
 * A window's batches keep the size they were made with. The first charge under another limit cuts them anew, so that no hit
 * leaves sooner than it would have. */
import { createHash } from 'node:crypto';
import { COUNT_RULES } from './count-rules.js';
import { WINDOW_RULES } from './window-rules.js';

export const BATCHES = 14;
export const MAX_TICKS = 32_767;
/** Beyond every wait, and exact in every client. */
export const NEVER = -(2 ** 50);
/** Keys of one route whose window is a function of the request could hold ever more records; the surplus is dropped. */
const MAX_RECORDS = 64;

export const QUOTA_SCRIPT = `
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local byte, sub, char, rep, concat = string.byte, string.sub, string.char, string.rep, table.concat
local pack, unpack = struct.pack, struct.unpack
local call = redis.call

local now = tonumber(ARGV[2])
local extra = 600000
if not now then
  extra = 0
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

-- Rules are built when a policy asks for them: most calls need one.
local RULES = {}

local built = {}

local function ruleOf(letter)
  local rule = built[letter]
  if not rule then
    rule = RULES[letter]()
    built[letter] = rule
  end
  return rule
end

${WINDOW_RULES}
${COUNT_RULES}
local input = cjson.decode(ARGV[1])
local policies, steps = {}, input[2]
for index, parts in ipairs(input[1]) do
  local windowMs = parts[4]
  local tickMs = ceil(windowMs / ${MAX_TICKS})
  policies[index] = {
    id = parts[1], rule = ruleOf(parts[2]), limit = parts[3], windowMs = windowMs, burst = parts[5], blockMs = parts[6],
    batch = ceil(parts[3] / ${BATCHES}), tickMs = tickMs, ticks = max(1, floor(windowMs / tickMs)),
    tick = floor(now / tickMs), msPerToken = windowMs / parts[3],
  }
end

-- What the keys hold by now, and the states of the decision in hand. Their tables are used again for the next one.
local texts, states = {}, {}

local function find(text, id)
  local at = 1
  while at + 5 <= #text do
    if sub(text, at, at + 4) == id then return at end
    at = at + 6 + byte(text, at + 5)
  end
end

-- Opens a policy's state, whose record most often stands at at; returns what it offers, and where the next record begins.
local function open(state, policy, text, at)
  local rule = policy.rule
  state.policy, state.length = policy, 0
  if at + rule.size - 1 <= #text then
    local id, length, a, b, c, d = unpack(rule.format, text, at)
    if id ~= policy.id then
      at = find(text, policy.id) or #text
      id = nil
      if at + rule.size - 1 <= #text then id, length, a, b, c, d = unpack(rule.format, text, at) end
    end
    if id and length + 6 >= rule.size then
      state.length = length + 6
      local after = at + state.length
      return rule.open(state, policy, text, at + rule.size, after - 1, a, b, c, d), after
    end
  elseif #text > 0 then
    local found = find(text, policy.id)
    if found and found ~= at then return open(state, policy, text, found) end
  end
  return rule.open(state, policy, text), at
end

local function isOwn(id, first, last)
  for index = first, last do
    if states[index].policy.id == id then return true end
  end
  return false
end

-- The records of other policies under a key: a route may draw on some of them only.
local function others(text, first, last)
  local kept, count, at = '', 0, 1
  while at + 5 <= #text and count < ${MAX_RECORDS} do
    local after = at + 6 + byte(text, at + 5)
    if not isOwn(sub(text, at, at + 4), first, last) then
      kept = kept .. sub(text, at, after - 1)
      count = count + 1
    end
    at = after
  end
  return kept
end

local lastings = {}

local function save(key, first, last)
  local text, lasting, length = '', 0, 0
  for index = first, last do
    local state = states[index]
    local record, ms = state.policy.rule.write(state, state.policy)
    text = text .. record
    length = length + state.length
    if ms > lasting then lasting = ms end
  end
  if length < #texts[key] then
    text = text .. others(texts[key], first, last)
    lasting = max(lasting, call('PTTL', KEYS[key]) - extra)
  end
  texts[key] = text
  if text == '' then return call('DEL', KEYS[key]) end
  -- In tenths of seconds, so that few numbers have to be written as text.
  lasting = ceil(lasting / 100)
  local ttl = lastings[lasting]
  if not ttl then
    ttl = string.format('%d', max(1, lasting) * 100 + extra)
    lastings[lasting] = ttl
  end
  call('SET', KEYS[key], text, 'PX', ttl)
end

local reply, size, at = {}, 0, 1

local function tell(remaining, ms, violated)
  if remaining < 0 then remaining = 0 end
  reply[size + 1] = remaining
  if not ms then
    reply[size + 2] = ${NEVER}
  else
    -- What rounding alone adds is no millisecond more.
    ms = ceil(ms - 1e-6)
    reply[size + 2] = violated and -1 - ms or ms
  end
  size = size + 2
end

-- Opens the states of a decision; whether every policy can give its cost.
local function openAll(charges)
  local enough, opened, cursor = true, 0, at + 1
  for _ = 1, charges do
    local key, cost, last = steps[cursor], steps[cursor + 1], cursor + 2 + steps[cursor + 2]
    local text = texts[key]
    if not text then
      text = call('GET', KEYS[key]) or ''
      texts[key] = text
    end
    local position = 1
    for index = cursor + 3, last do
      opened = opened + 1
      local state = states[opened]
      if not state then
        state = {}
        states[opened] = state
      end
      local offered
      offered, position = open(state, policies[steps[index]], text, position)
      state.offers = offered
      if offered < cost then enough = false end
    end
    cursor = last + 1
  end
  return enough
end

-- Whether the state changed.
local function settle(state, cost, granted)
  local policy, offered = state.policy, state.offers
  local rule = policy.rule
  if granted then
    if cost > 0 then rule.charge(state, policy, cost) end
    tell(offered - cost, rule.reset(state, policy))
    return cost > 0
  end
  if offered >= cost then
    tell(offered, rule.reset(state, policy))
    return false
  end
  if rule.refused then rule.refused(state, policy) end
  tell(offered, rule.wait(state, policy, cost), true)
  return rule.refused ~= nil
end

local function giveBack(state, cost)
  local policy = state.policy
  policy.rule.refund(state, policy, cost)
  tell(policy.rule.offered(state, policy), policy.rule.reset(state, policy))
  return true
end

while at <= #steps do
  local charges = steps[at]
  local refunds = charges < 0
  if refunds then charges = -charges end
  local granted = openAll(charges)
  local done = 0
  at = at + 1
  for _ = 1, charges do
    local key, cost, count = steps[at], steps[at + 1], steps[at + 2]
    local changed = false
    for index = done + 1, done + count do
      local state = states[index]
      local changes
      if refunds then
        changes = giveBack(state, cost)
      else
        changes = settle(state, cost, granted)
      end
      changed = changed or changes
    end
    if changed then save(key, done + 1, done + count) end
    done = done + count
    at = at + 3 + count
  end
end

return reply
`;

export const QUOTA_SCRIPT_SHA = createHash('sha1').update(QUOTA_SCRIPT).digest('hex');
