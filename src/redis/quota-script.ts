/* What Redis runs: any number of decisions in one call, in order, each over all of its policies, taken whole or not at all. The rules are those
 * of src/rate-limit (sliding-window.ts, fixed-window.ts, token-bucket.ts, blocking-window.ts, concurrency.ts), to the same numbers.
 *
 * KEYS    one for each charge of each decision, in order: all policies of a client and scope live in one string that expires with the
 *         last of them
 * ARGV[1] JSON [policies, runs]
 *         policies  [id, rule, limit, windowMs, burst, blockMs, shadow (1 or 0)] each
 *         runs      decisions that differ by their keys only: what to do (CONSUME and its like), how many decisions, how many charges
 *                   each has, the age in milliseconds of what is settled, the units to settle; then for each charge its cost, the
 *                   number of its policies and the policies
 * ARGV[2] milliseconds in place of the server's clock, for tests; empty otherwise. Keys then live ten minutes longer, since they
 *         expire by the server's
 * Reply   for each decision, charge and policy: what remains, and the milliseconds to its reset; -1 - milliseconds if the policy is
 *         violated, NEVER if the cost is above the whole limit
 *
 * A string is the moment until which it lives (5 bytes, tenths of seconds), then records of: id (5 characters), length (1 byte),
 * state. States, whole numbers unsigned, big-endian:
 *   window   size of a full batch (4 bytes), last charge (6, ticks), hits in the newest batch (4), 16 bits of each batch's tick
 *   blocking blocked until (6, ms), then a window
 *   fixed    closes at (6, ms), hits (4)
 *   bucket   moment (6, ms), tokens owed at that moment (double)
 *   slots    period (6), then for each period in which leases began: its age (1), leases (4)
 * A window's batches keep the size they were made with. The first charge under another limit cuts them anew, so that no hit
 * leaves sooner than it would have.
 *
 * To write an expiry costs as much as to write the rest, so a key lives a little longer than it must, and most writes leave it. */
import { createHash } from 'node:crypto';
import { COUNT_RULES } from './count-rules.js';
import { WINDOW_RULES } from './window-rules.js';
import { WINDOW_RUN } from './window-run.js';

/** What a run's decisions are. */
export const CONSUME = 0;
export const SETTLE = 1;
export const RENEW = 2;
export const RESET = 3;
/** Gives the costs back: another part of the same request was refused. */
export const RETURN = 4;

/** As in sliding-window.ts. */
const BATCHES = 14;
const MAX_TICKS = 32_767;
/** Beyond every wait, and exact in every client. */
export const NEVER = -(2 ** 50);
/** Keys of one route whose window is a function of the request could hold ever more records; the surplus is dropped. */
const MAX_RECORDS = 64;
/** Keys that one MGET asks for: Lua's stack holds no more than some thousands. */
const MAX_GET = 1_000;
/** A process knows when it charged by its own clock and the time that the call took. So much later, milliseconds, and at most a hundredth of the
 * window, may it have been: a window that the charge itself opened must count as open by then. */
const SLACK_MS = 100;

export const QUOTA_SCRIPT = `
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
  -- With all its fields at once: a table that grows costs as much as a decision.
  policies[index] = {
    id = id, number = (((a * 256 + b) * 256 + c) * 256 + d) * 256 + e, letter = given[2], rule = false, limit = limit,
    windowMs = windowMs, burst = given[5], blockMs = given[6], shadow = given[7] == 1, msPerToken = windowMs / limit,
    batch = batch, slots = ceil(limit / batch), tickMs = tickMs, ticks = ticks, tick = tick, low16 = low16,
    moment = char(floor(low16 / 256), low16 % 256), lasting = (tick + ticks) * tickMs - now,
  }
end

-- What the keys held before the call, by their place. What the call has written, by their name: text, or true if it has to be read again.
-- By MGET, which takes what is no string for missing; GET would fail all decisions of the call.
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

-- The same where its records are whole. Any other text is not the store's, and counts for nothing.
local function recordsAt(place)
  local text = textAt(place)
  local at, last = 6, #text
  while at + 5 <= last do at = at + 6 + byte(text, at + 5) end
  return at == last + 1 and text or ''
end

-- What a string is put together from: the first is the moment until which it lives.
local parts = {}

-- Writes the other parts, which are to last so many milliseconds.
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
    lives = min(ceil((now + lasting + max(1000, lasting / 8)) / 100), ${2 ** 40 - 1})
    parts[1] = pack('>I5', lives)
    local text = concat(parts, '', 1, count)
    written[key] = text
    call('SET', key, text, 'PX', string.format('%d', lives * 100 - now + extra))
  end
end

local reply, size = {}, 0
local place, at = 0, 1
${WINDOW_RUN}
-- Everything else, made when a call needs it: most need none of it, and to make it costs more than a decision.
local function createRules()
local RULES, built = {}, {}

-- Rules are built when a policy asks for them.
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
for _, policy in ipairs(policies) do policy.rule = ruleOf(policy.letter) end

-- The states of the decision in hand. Their tables are used again for the next one.
local states = {}

local function find(text, id)
  local at = 6
  while at + 5 <= #text do
    if sub(text, at, at + 4) == id then return at end
    at = at + 6 + byte(text, at + 5)
  end
end

-- Opens a policy's state, whose record most often stands at at; returns what it offers, and where the next record begins.
local function open(state, policy, text, at)
  local rule = policy.rule
  state.policy, state.length = policy, 0
  local last = #text
  if last == 0 then return rule.open(state, policy), at end
  local size = rule.size
  local id, length, a, b, c, d
  if at + size - 1 <= last then id, length, a, b, c, d = unpack(rule.format, text, at) end
  if id ~= policy.id then
    local found = find(text, policy.id)
    if not found or found + size - 1 > last then return rule.open(state, policy), at end
    at = found
    id, length, a, b, c, d = unpack(rule.format, text, at)
  end
  if length + 6 < size then return rule.open(state, policy), at end
  local after = at + length + 6
  state.length = length + 6
  return rule.open(state, policy, text, at + size, after - 1, a, b, c, d), after
end

local function isOwn(id, first, last)
  for index = first, last do
    if states[index].policy.id == id then return true end
  end
  return false
end

-- Keeps the records of other policies under a key: a route may draw on some of them only.
local function keepOthers(text, first, last, count)
  local kept, at = 0, 6
  while at + 5 <= #text and kept < ${MAX_RECORDS} do
    local after = at + 6 + byte(text, at + 5)
    if not isOwn(sub(text, at, at + 4), first, last) then
      count, kept = count + 1, kept + 1
      parts[count] = sub(text, at, after - 1)
    end
    at = after
  end
  return count
end

local function save(place, first, last)
  local key, old = KEYS[place], recordsAt(place)
  local count, lasting, length = 1, 0, 5
  for index = first, last do
    local state = states[index]
    local policy = state.policy
    local ms
    count, ms = policy.rule.write(state, policy, count)
    if ms > lasting then lasting = ms end
    length = length + state.length
  end
  if length < #old then
    count = keepOthers(old, first, last, count)
    lasting = max(lasting, unpack('>I5', old) * 100 - now)
  end
  if count > 1 then return put(key, old, count, lasting) end
  if old ~= '' then call('DEL', key) end
  written[key] = ''
end

local function tell(remaining, ms, violated)
  if remaining < 0 then remaining = 0 end
  reply[size + 1] = remaining
  if not ms then
    reply[size + 2] = NEVER
  else
    -- What rounding alone adds is no millisecond more.
    ms = ceil(ms - 1e-6)
    reply[size + 2] = violated and -1 - ms or ms
  end
  size = size + 2
end

-- Opens the states of a decision; whether every policy that may refuse can give its cost.
local function openAll(charges, cursor)
  local enough, opened = true, 0
  for charge = 1, charges do
    local text, cost, last, position = recordsAt(place + charge), runs[cursor], cursor + 1 + runs[cursor + 1], 6
    for index = cursor + 2, last do
      opened = opened + 1
      local state = states[opened]
      if not state then
        state = {}
        states[opened] = state
      end
      local policy, offered = policies[runs[index]], nil
      offered, position = open(state, policy, text, position)
      state.offers = offered
      if offered < cost and not policy.shadow then enough = false end
    end
    cursor = last + 1
  end
  return enough
end

-- Each of these tells how a policy stands, and returns whether its state changed.
local DEEDS = {}

DEEDS[${CONSUME}] = function(state, cost, granted)
  local policy, offered = state.policy, state.offers
  local rule = policy.rule
  if offered < cost then
    local changes = rule.refused and cost > 0
    if changes then rule.refused(state, policy) end
    tell(offered, rule.wait(state, policy, cost), true)
    return changes
  end
  if not granted or cost == 0 then
    tell(offered, rule.reset(state, policy))
    return false
  end
  rule.charge(state, policy, cost)
  tell(offered - cost, rule.reset(state, policy))
  return true
end

local function chargedAt(policy, age)
  return min(now, now - age + min(slack, policy.windowMs / 100))
end

DEEDS[${SETTLE}] = function(state, _, _, age, units)
  local policy = state.policy
  local rule = policy.rule
  if units < 0 then
    rule.refund(state, policy, -units, chargedAt(policy, age))
  elseif units > 0 then
    rule.charge(state, policy, units)
  end
  tell(rule.offered(state, policy), rule.reset(state, policy))
  return units ~= 0
end

DEEDS[${RETURN}] = function(state, cost, granted, age)
  return DEEDS[${SETTLE}](state, cost, granted, age, -cost)
end

DEEDS[${RENEW}] = function(state, cost, _, age)
  local policy = state.policy
  local rule = policy.rule
  rule.refund(state, policy, cost, chargedAt(policy, age))
  rule.charge(state, policy, cost)
  tell(rule.offered(state, policy), rule.reset(state, policy))
  return true
end

DEEDS[${RESET}] = function(state)
  local policy, length = state.policy, state.length
  tell(policy.rule.open(state, policy), 0)
  return length > 0
end

-- Carries out one decision of the run at a place of runs.
return function(head)
  local deed, charges, age, units = DEEDS[runs[head]], runs[head + 2], runs[head + 3], runs[head + 4]
  local cursor, done = head + 5, 0
  local granted = openAll(charges, cursor)
  for charge = 1, charges do
    local cost, count = runs[cursor], runs[cursor + 1]
    local changed = false
    for index = done + 1, done + count do
      if deed(states[index], cost, granted, age, units) then changed = true end
    end
    if changed then save(place + charge, done + 1, done + count) end
    done = done + count
    cursor = cursor + 2 + count
  end
end
end

local function isOfWindows(first, last)
  for index = first, last do
    if policies[runs[index]].letter ~= 's' then return false end
  end
  return true
end

local judgeWindows, carryOut
while at <= #runs do
  local charges, after = runs[at + 2], at + 5
  for _ = 1, charges do after = after + 2 + runs[after + 1] end
  local cost = runs[at + 5]
  local left, first, last = runs[at + 1], at + 7, after - 1
  local ofWindows = runs[at] == ${CONSUME} and charges == 1 and isOfWindows(first, last)
  while left > 0 do
    if ofWindows and first == last and cost > 0 then
      local done = judgeUsual(place, left, cost, policies[runs[first]])
      place, left = place + done, left - done
    end
    if left > 0 then
      if ofWindows and not judgeWindows then judgeWindows = createWindows() end
      if not ofWindows or not judgeWindows(place + 1, cost, first, last) then
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

export const QUOTA_SCRIPT_SHA = createHash('sha1').update(QUOTA_SCRIPT).digest('hex');
