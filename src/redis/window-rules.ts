/* The part of the script that keeps windows: sliding-window.ts and blocking-window.ts of src/rate-limit, in Lua. A rule opens a state from the
 * numbers of its record (nil where there is none) and returns what it offers; the record's ring of ticks is text from..to. */

export const WINDOW_RULES = `
function RULES.s()
  local Window = { format = '>c5BI6I4I4', size = 20 }

  function Window.empty(state, policy)
    state.text, state.from, state.to, state.age, state.added = '', 1, 0, 0, ''
    state.size, state.newest, state.batches, state.used = policy.batch, 0, 0, 0
  end

  function Window.open(state, policy, text, from, to, last, size, newest)
    local tick, ticks = policy.tick, policy.ticks
    -- A clock that was set back stands still here; one that was set back by more than a window leaves a state that means nothing.
    if last and last > tick and last - tick <= ticks then tick = last end
    state.tick, state.last = tick, last or 0
    if not last or size == 0 or last > tick or tick - last >= ticks then
      Window.empty(state, policy)
      return policy.limit
    end
    local age = 0
    while from < to do
      local high, low = byte(text, from, from + 1)
      age = (tick - high * 256 - low) % 65536
      if age < ticks then break end
      from = from + 2
    end
    local batches = (to - from + 1) / 2
    if batches == 0 then newest = 0 end
    local used = max(0, batches - 1) * size + newest
    state.text, state.from, state.to, state.age, state.added = text, from, to, age, ''
    state.size, state.newest, state.batches, state.used = size, newest, batches, used
    return policy.limit - used
  end

  function Window.age(state, batch)
    if batch == 0 then return state.age end
    local high, low = byte(state.text, state.from + batch * 2, state.from + batch * 2 + 1)
    return (state.tick - high * 256 - low) % 65536
  end

  -- Cuts the hits into batches of another size. One made of several counts from the last of them.
  function Window.resize(state, size)
    local ring, batches, used = {}, 0, state.used
    while batches * size < used do
      batches = batches + 1
      local at = state.from + floor((min(batches * size, used) - 1) / state.size) * 2
      ring[batches] = sub(state.text, at, at + 1)
    end
    state.text = concat(ring)
    state.from, state.to, state.batches = 1, batches * 2, batches
    state.size, state.newest = size, used - max(0, batches - 1) * size
    if batches > 0 then
      local high, low = byte(state.text, 1, 2)
      state.age = (state.tick - high * 256 - low) % 65536
    end
  end

  function Window.charge(state, policy, cost)
    local size = policy.batch
    if state.size ~= size then Window.resize(state, size) end
    local newest, batches = state.newest + cost, state.batches
    local added = 0
    if batches == 0 then added, state.age = 1, 0 end
    if newest > size then
      local more = ceil(newest / size) - 1
      newest, added = newest - more * size, added + more
    end
    if added > 0 then
      local low = state.tick % 65536
      state.added = rep(char(floor(low / 256), low % 256), added)
      state.batches = batches + added
    end
    state.newest, state.last = newest, state.tick
  end

  function Window.refund(state, policy, cost)
    local used = max(0, state.used - cost)
    if used == 0 then return Window.empty(state, policy) end
    local batches = ceil(used / state.size)
    state.batches, state.to = batches, state.from + batches * 2 - 1
    state.used, state.newest = used, used - (batches - 1) * state.size
  end

  function Window.offered(state, policy)
    return policy.limit - state.used
  end

  function Window.wait(state, policy, cost)
    if cost > policy.limit then return nil end
    local missing = state.used + cost - policy.limit
    if state.batches == 0 or missing <= 0 then return 0 end
    local age = Window.age(state, min(ceil(missing / state.size), state.batches) - 1)
    return (state.tick + policy.ticks - age) * policy.tickMs - now
  end

  function Window.reset(state, policy)
    if state.batches == 0 then return 0 end
    return (state.tick + policy.ticks - state.age) * policy.tickMs - now
  end

  function Window.write(state, policy)
    if state.batches == 0 then return '', 0 end
    return pack('>c5BI6I4I4', policy.id, 14 + 2 * state.batches, state.last, state.size, state.newest)
      .. sub(state.text, state.from, state.to) .. state.added, (state.last + policy.ticks) * policy.tickMs - now
  end

  return Window
end

function RULES.b()
  local Window = ruleOf('s')
  local Blocking = setmetatable({ format = '>c5BI6I6I4I4', size = 26 }, { __index = Window })

  function Blocking.open(state, policy, text, from, to, till, last, size, newest)
    local offered = Window.open(state, policy, text, from, to, last, size, newest)
    state.till = till or 0
    if state.till > now then return 0 end
    if state.till > 0 then
      state.till = 0
      Window.empty(state, policy)
      return policy.limit
    end
    return offered
  end

  function Blocking.refused(state, policy)
    if state.till <= now then state.till = now + policy.blockMs end
  end

  function Blocking.offered(state, policy)
    if state.till > now then return 0 end
    return Window.offered(state, policy)
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
    if state.till <= now and state.batches == 0 then return '', 0 end
    return pack('>c5BI6I6I4I4', policy.id, 20 + 2 * state.batches, state.till, state.last, state.size, state.newest)
      .. sub(state.text, state.from, state.to) .. state.added,
      max(state.till - now, (state.last + policy.ticks) * policy.tickMs - now)
  end

  return Blocking
end
`;
