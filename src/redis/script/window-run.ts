/* The fast path of the script, for the usual call: decisions over sliding windows under one key each. It writes the same bytes as the
 * rule in window-rules.ts. An unusual text (another order or number of records, a changed limit, a debt, a clock that was set back) is
 * left to that rule. The code avoids calls, closures and struct.unpack, which took four fifths of the time. */

export const WINDOW_RUN = `
-- Makes decisions over one window each, for as long as they are simple: the newest batch has room, no batch has left the window, and the
-- key lives long enough. Such a decision changes ten bytes. Returns the number of decisions made.
local function consumeUsual(place, most, cost, policy)
  local tick, low16, ticks, tickMs, batch, limit = policy.tick, policy.low16, policy.ticks, policy.tickMs, policy.batch, policy.limit
  local i1, i2, i3, i4, i5 = byte(policy.id, 1, 5)
  local until100, done = (now + policy.lasting) / 100, 0
  while done < most do
    local key, text = KEYS[place + done + 1], before[place + done + 1]
    if not text or written[key] then return done end
    local e1, e2, e3, e4, e5, a, b, c, d, e, length, s1, s2, s3, s4, l1, l2, l3, l4, l5, l6, n1, n2, n3, n4, high, low = byte(text, 1, 27)
    if not low or a ~= i1 or b ~= i2 or c ~= i3 or d ~= i4 or e ~= i5 or length + 11 ~= #text then return done end
    local passed = tick - (((((l1 * 256 + l2) * 256 + l3) * 256 + l4) * 256 + l5) * 256 + l6)
    local age = low16 - high * 256 - low
    if age < 0 then age = age + 65536 end
    local newest = ((n1 * 256 + n2) * 256 + n3) * 256 + n4 + cost
    local remaining = limit - (length - 16) / 2 * batch - newest
    if ((s1 * 256 + s2) * 256 + s3) * 256 + s4 ~= batch or passed < 0 or passed >= ticks or age >= ticks
      or newest > batch or remaining < 0
      or (((e1 * 256 + e2) * 256 + e3) * 256 + e4) * 256 + e5 < until100 then return done end
    call('SETRANGE', key, 15, pack('>I6I4', tick, newest))
    written[key] = true
    done = done + 1
    reply[size + 1] = remaining
    reply[size + 2] = (tick + ticks - age) * tickMs - now
    size = size + 2
  end
  return done
end

-- The other decisions over sliding windows. Created on demand.
local function createWindows()
local froms, counts, newests, ages, uses, lasts, offers = {}, {}, {}, {}, {}, {}, {}

-- Reads the states of the policies first..last. Returns false for a text that these policies have not written.
local function readWindows(text, first, last)
  local at = 6
  for index = first, last do
    local policy = policies[runs[index]]
    local a, b, c, d, e, length, f, g, h, i, l1, l2, l3, l4, l5, l6, n1, n2, n3, n4, high, low = byte(text, at, at + 21)
    if not low or (((a * 256 + b) * 256 + c) * 256 + d) * 256 + e ~= policy.number then return false end
    local tick, low16, ticks, batch = policy.tick, policy.low16, policy.ticks, policy.batch
    local moment = ((((l1 * 256 + l2) * 256 + l3) * 256 + l4) * 256 + l5) * 256 + l6
    local newest = ((n1 * 256 + n2) * 256 + n3) * 256 + n4
    if ((f * 256 + g) * 256 + h) * 256 + i ~= batch or moment > tick or newest > batch then return false end
    local from, after = at + 20, at + 6 + length
    local age = ticks
    if tick - moment < ticks then
      age = low16 - high * 256 - low
      if age < 0 then age = age + 65536 end
    else
      from = after
    end
    while age >= ticks and from < after do
      from = from + 2
      if from < after then
        high, low = byte(text, from, from + 1)
        age = low16 - high * 256 - low
        if age < 0 then age = age + 65536 end
      end
    end
    local count, used = (after - from) / 2, 0
    if count > 0 then used = (count - 1) * batch + newest else newest, age = 0, 0 end
    froms[index], counts[index], newests[index], ages[index], uses[index], lasts[index] = from, count, newest, age, used, moment
    at = after
  end
  return at == #text + 1
end

local function chargeWindows(key, text, cost, first, last)
  local at, lasting = 1, 0
  for index = first, last do
    local policy = policies[runs[index]]
    local batch, count, newest, moment, more = policy.batch, counts[index], newests[index], lasts[index], 0
    -- A policy in shadow mode without room is not charged.
    if uses[index] + cost <= policy.limit then
      more = ceil((newest + cost) / batch) - 1
      newest, moment = newest + cost - more * batch, policy.tick
      if count == 0 then more = more + 1 end
      uses[index] = uses[index] + cost
    end
    if count + more > 0 then
      parts[at + 1] = pack('>c5BI4I6I4', policy.id, 14 + 2 * (count + more), batch, moment, newest)
      at = at + 1
      if count > 0 then
        at = at + 1
        parts[at] = sub(text, froms[index], froms[index] + 2 * count - 1)
      end
      if more > 0 then
        at = at + 1
        parts[at] = rep(policy.moment, more)
      end
      lasting = max(lasting, (moment + policy.ticks) * policy.tickMs - now)
    end
  end
  if at > 1 then put(key, text, at, lasting) end
end

-- Decides over one key. Returns false, and does nothing, for an unusual text.
local function consumeWindows(place, cost, first, last)
  local key, text = KEYS[place], recordsAt(place)
  if text == '' then
    for index = first, last do
      counts[index], newests[index], ages[index], uses[index], lasts[index] = 0, 0, 0, 0, 0
    end
  elseif not readWindows(text, first, last) then
    return false
  end
  local granted = true
  for index = first, last do
    local policy = policies[runs[index]]
    local offered = policy.limit - uses[index]
    offers[index] = offered
    if offered < cost and not policy.shadow then granted = false end
  end
  if granted and cost > 0 then chargeWindows(key, text, cost, first, last) end
  for index = first, last do
    local policy, used = policies[runs[index]], uses[index]
    local missing, reset = cost - offers[index], 0
    if cost > policy.limit then
      reset = NEVER
    elseif missing > 0 then
      local at = froms[index] + 2 * min(ceil(missing / policy.batch), counts[index]) - 2
      local high, low = byte(text, at, at + 1)
      reset = now - 1 - (policy.tick + policy.ticks - (policy.tick - high * 256 - low) % 65536) * policy.tickMs
    elseif used > 0 then
      reset = (policy.tick + policy.ticks - ages[index]) * policy.tickMs - now
    end
    reply[size + 1] = max(0, policy.limit - used)
    reply[size + 2] = reset
    size = size + 2
  end
  return true
end

return consumeWindows
end
`;
