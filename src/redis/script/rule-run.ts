/* The part of the script that carries out what window-run.ts does not: every algorithm, several keys, and corrections. It opens the
 * states of a call's policies, applies the operation and writes the records that changed. */
import { COUNT_RULES } from './count-rules.js';
import { WINDOW_RULES } from './window-rules.js';

/** What the script does with the charges of a call. */
export const CONSUME = 0;
export const SETTLE = 1;
export const RENEW = 2;
export const RESET = 3;
/** Gives the costs back, because another part of the same request was denied. */
export const RETURN = 4;

/** A route whose window depends on the request could add records to a key for ever; the surplus is dropped. */
const MAX_RECORDS = 64;

export const RULE_RUN = `
-- Created on demand: most calls do without, and creating it costs more than a decision.
local function createRules()
local RULES, built = {}, {}

-- Creates a rule at its first use.
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

-- The states of the current item. The next item reuses the tables.
local states = {}

local function find(text, id)
  local at = 6
  while at + 5 <= #text do
    if sub(text, at, at + 4) == id then return at end
    at = at + 6 + byte(text, at + 5)
  end
end

-- Opens the state of a policy, whose record usually begins at position at. Returns the units that remain and the position of the next
-- record.
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

-- Keeps the records of other policies under a key: a route may use only some of them.
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

local function report(remaining, ms, violated)
  if remaining < 0 then remaining = 0 end
  reply[size + 1] = remaining
  if not ms then
    reply[size + 2] = NEVER
  else
    -- A rounding error must not add a millisecond.
    ms = ceil(ms - 1e-6)
    reply[size + 2] = violated and -1 - ms or ms
  end
  size = size + 2
end

-- Opens the states of an item. Returns whether every enforced policy has enough units.
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

-- Each operation reports the state of a policy, and returns whether that state changed.
local OPERATIONS = {}

OPERATIONS[${CONSUME}] = function(state, cost, granted)
  local policy, offered = state.policy, state.offers
  local rule = policy.rule
  if offered < cost then
    local changes = rule.denied and cost > 0
    if changes then rule.denied(state, policy) end
    report(offered, rule.wait(state, policy, cost), true)
    return changes
  end
  if not granted or cost == 0 then
    report(offered, rule.reset(state, policy))
    return false
  end
  rule.charge(state, policy, cost)
  report(offered - cost, rule.reset(state, policy))
  return true
end

local function chargedAt(policy, age)
  return min(now, now - age + min(slack, policy.windowMs / 100))
end

OPERATIONS[${SETTLE}] = function(state, _, _, age, units)
  local policy = state.policy
  local rule = policy.rule
  if units < 0 then
    rule.refund(state, policy, -units, chargedAt(policy, age))
  elseif units > 0 then
    rule.charge(state, policy, units)
  end
  report(rule.offered(state, policy), rule.reset(state, policy))
  return units ~= 0
end

OPERATIONS[${RETURN}] = function(state, cost, granted, age)
  return OPERATIONS[${SETTLE}](state, cost, granted, age, -cost)
end

OPERATIONS[${RENEW}] = function(state, cost, _, age)
  local policy = state.policy
  local rule = policy.rule
  rule.refund(state, policy, cost, chargedAt(policy, age))
  rule.charge(state, policy, cost)
  report(rule.offered(state, policy), rule.reset(state, policy))
  return true
end

OPERATIONS[${RESET}] = function(state)
  local policy, length = state.policy, state.length
  report(policy.rule.open(state, policy), 0)
  return length > 0
end

-- Carries out the item at position head of runs.
return function(head)
  local operation, charges, age, units = OPERATIONS[runs[head]], runs[head + 2], runs[head + 3], runs[head + 4]
  local cursor, done = head + 5, 0
  local granted = openAll(charges, cursor)
  for charge = 1, charges do
    local cost, count = runs[cursor], runs[cursor + 1]
    local changed = false
    for index = done + 1, done + count do
      if operation(states[index], cost, granted, age, units) then changed = true end
    end
    if changed then save(place + charge, done + 1, done + count) end
    done = done + count
    cursor = cursor + 2 + count
  end
end
end
`;
