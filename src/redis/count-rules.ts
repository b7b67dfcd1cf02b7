/* The part of the script that keeps single numbers: fixed-window.ts and token-bucket.ts of src/rate-limit, in Lua. */

export const COUNT_RULES = `
function RULES.f()
  local Fixed = { format = '>c5BI6I4', size = 16 }

  function Fixed.open(state, policy, _, _, _, closes, hits)
    if not closes or now >= closes then closes, hits = 0, 0 end
    state.closes, state.hits = min(closes, now + policy.windowMs), hits
    return policy.limit - hits
  end

  function Fixed.charge(state, policy, cost)
    if state.hits == 0 then state.closes = now + policy.windowMs end
    state.hits = state.hits + cost
  end

  function Fixed.refund(state, policy, cost)
    state.hits = max(0, state.hits - cost)
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

  function Fixed.write(state, policy)
    if state.hits == 0 then return '', 0 end
    return pack('>c5BI6I4', policy.id, 10, ceil(state.closes), state.hits), state.closes - now
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

  function Bucket.refund(state, policy, cost)
    state.owed = max(0, state.owed - cost)
  end

  function Bucket.offered(state, policy)
    -- A sum of fractions may miss a whole token by a rounding error; a millionth of one is forgiven.
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

  function Bucket.write(state, policy)
    if state.owed == 0 then return '', 0 end
    return pack('>c5BI6d', policy.id, 14, now, state.owed), state.owed * policy.msPerToken
  end

  return Bucket
end
`;
