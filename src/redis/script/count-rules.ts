/* fixed-window.ts, token-bucket.ts and concurrency.ts of src/limiter/algorithms, in Lua. */

/** Periods of a lease, which ends during the next one; as in concurrency.ts. */
const PERIODS = 12;

export const COUNT_RULES = `
local MOST = 4294967295

function RULES.f()
  local Fixed = { format = '>c5BI6I4', size = 16 }

  function Fixed.open(state, policy, _, _, _, closes, hits)
    if not closes or now >= closes then closes, hits = 0, 0 end
    state.closes, state.hits = min(closes, now + policy.windowMs), hits
    return policy.limit - hits
  end

  function Fixed.charge(state, policy, cost)
    if state.hits == 0 then state.closes = now + policy.windowMs end
    state.hits = min(state.hits + cost, MOST)
  end

  function Fixed.refund(state, policy, cost, moment)
    if moment >= state.closes - ceil(policy.windowMs) then state.hits = max(0, state.hits - cost) end
  end

  function Fixed.offered(state, policy)
    return policy.limit - state.hits
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

  function Fixed.write(state, policy, count)
    if state.hits == 0 then return count, 0 end
    parts[count + 1] = pack('>c5BI6I4', policy.id, 10, ceil(state.closes), state.hits)
    return count + 1, state.closes - now
  end

  return Fixed
end

function RULES.t()
  local Bucket = { format = '>c5BI6d', size = 20 }

  function Bucket.open(state, policy, _, _, _, moment, owed)
    state.owed = 0
    if moment then state.owed = max(0, owed - max(0, now - moment) / policy.msPerToken) end
    return Bucket.offered(state, policy)
  end

  function Bucket.charge(state, policy, cost)
    state.owed = state.owed + cost
  end

  -- The tokens that the bucket has gained since the charge are not given back: a fuller bucket might have overflowed.
  function Bucket.refund(state, policy, cost, moment)
    state.owed = max(0, state.owed - max(0, cost - (now - moment) / policy.msPerToken))
  end

  function Bucket.offered(state, policy)
    -- Rounding errors may leave a sum just below a whole token: a millionth is tolerated.
    return floor(policy.burst - state.owed + 1e-6)
  end

  function Bucket.wait(state, policy, cost)
    if cost > policy.burst then return nil end
    return max(0, (state.owed + cost - policy.burst) * policy.msPerToken)
  end

  function Bucket.reset(state, policy)
    local offered = Bucket.offered(state, policy)
    if offered >= policy.burst then return 0 end
    return Bucket.wait(state, policy, offered + 1)
  end

  function Bucket.write(state, policy, count)
    if state.owed == 0 then return count, 0 end
    parts[count + 1] = pack('>c5BI6d', policy.id, 14, now, state.owed)
    return count + 1, state.owed * policy.msPerToken
  end

  return Bucket
end

function RULES.c()
  local Leases = { format = '>c5BI6', size = 12 }

  -- Leases are counted by their age in periods.
  function Leases.open(state, policy, text, from, to, last)
    local period, begun, leased = floor(now / (policy.windowMs / ${PERIODS})), {}, 0
    -- If the clock was set back, time stands still here.
    if last and last > period and last - period <= ${PERIODS} then period = last end
    if last and last <= period then
      while from < to do
        local age, count = unpack('>BI4', text, from)
        age = age + period - last
        if age <= ${PERIODS} then
          begun[age] = count
          leased = leased + count
        end
        from = from + 5
      end
    end
    state.period, state.begun, state.leased = period, begun, leased
    return policy.limit - leased
  end

  function Leases.charge(state, _, cost)
    local before = state.begun[0] or 0
    local after = min(before + cost, MOST)
    state.begun[0], state.leased = after, state.leased + after - before
  end

  -- The age of a lease is known to some milliseconds: a lease that is not in its period is in one beside it.
  function Leases.refund(state, policy, cost, moment)
    local age = max(0, state.period - floor(moment / (policy.windowMs / ${PERIODS})))
    if age > ${PERIODS} then return end
    for _, each in ipairs({ age, age + 1, age - 1 }) do
      local taken = min(cost, state.begun[each] or 0)
      if taken > 0 then
        state.begun[each], state.leased = state.begun[each] - taken, state.leased - taken
        cost = cost - taken
      end
    end
  end

  function Leases.offered(state, policy)
    return policy.limit - state.leased
  end

  local function ends(state, policy, age)
    return (state.period - age + ${PERIODS + 1}) * (policy.windowMs / ${PERIODS}) - now
  end

  function Leases.wait(state, policy, cost)
    if cost > policy.limit then return nil end
    local missing = state.leased + cost - policy.limit
    for age = ${PERIODS}, 0, -1 do
      if missing <= 0 then return 0 end
      missing = missing - (state.begun[age] or 0)
      if missing <= 0 then return ends(state, policy, age) end
    end
    return 0
  end

  function Leases.reset(state, policy)
    for age = ${PERIODS}, 0, -1 do
      if (state.begun[age] or 0) > 0 then return ends(state, policy, age) end
    end
    return 0
  end

  function Leases.write(state, policy, count)
    local lasting, length, head = 0, 6, count + 1
    for age = ${PERIODS}, 0, -1 do
      local leases = state.begun[age] or 0
      if leases > 0 then
        if length == 6 then count = head end
        count = count + 1
        parts[count] = pack('>BI4', age, leases)
        length = length + 5
        lasting = ends(state, policy, age)
      end
    end
    if length > 6 then parts[head] = pack('>c5BI6', policy.id, length, state.period) end
    return count, lasting
  end

  return Leases
end
`;
