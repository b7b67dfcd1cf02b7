/* sliding-window.ts and blocking-window.ts of src/limiter/algorithms, in Lua. A rule opens a state from the numbers of its record (nil
 * if there is none) and returns the units that remain. The record's ring of ticks is text from..to. */

/** The most hits of the newest batch, debts included; as in sliding-window.ts. */
const MAX_NEWEST = 2 ** 28 - 1;

export const WINDOW_RULES = `
function RULES.s()
  local Window = { format = '>c5BI4I6I4', size = 20 }

  function Window.empty(state, policy)
    state.text, state.from, state.to, state.age, state.added = '', 1, 0, 0, nil
    state.size, state.newest, state.batches, state.used = policy.batch, 0, 0, 0
  end

  function Window.open(state, policy, text, from, to, size, last, newest)
    local tick, ticks = policy.tick, policy.ticks
    -- If the clock was set back, time stands still here. If it was set back by more than a window, the state is dropped.
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
    local used = 0
    if batches > 0 then used = (batches - 1) * size + newest else newest = 0 end
    state.text, state.from, state.to, state.age, state.added = text, from, to, age, nil
    state.size, state.newest, state.batches, state.used = size, newest, batches, used
    return policy.limit - used
  end

  function Window.age(state, batch)
    if batch == 0 then return state.age end
    local high, low = byte(state.text, state.from + batch * 2, state.from + batch * 2 + 1)
    return (state.tick - high * 256 - low) % 65536
  end

  -- Removes count hits behind the first before hits, and cuts the rest into full batches of a size. A batch that is made of several old
  -- ones leaves the window with the last of them.
  function Window.cut(state, policy, size, before, count)
    local used = state.used - count
    local batches = min(ceil(used / size), policy.maxBatches)
    local ring = {}
    for batch = 1, batches do
      local hit = (batch == batches and used or batch * size) - 1
      if hit >= before then hit = hit + count end
      local at = state.from + min(floor(hit / state.size), state.batches - 1) * 2
      ring[batch] = sub(state.text, at, at + 1)
    end
    if batches == 0 then return Window.empty(state, policy) end
    -- Later hits must not leave the window with these older ones, or hits could count as older again and again.
    if count > 0 and used < batches * size then
      local low = state.tick % 65536
      ring[batches] = char(floor(low / 256), low % 256)
    end
    state.text = concat(ring)
    state.from, state.to, state.batches = 1, batches * 2, batches
    state.size, state.newest, state.used = size, used - (batches - 1) * size, used
    local high, low = byte(state.text, 1, 2)
    state.age = (state.tick - high * 256 - low) % 65536
  end

  function Window.charge(state, policy, cost)
    local size = policy.batch
    if state.size ~= size then Window.cut(state, policy, size, 0, 0) end
    local newest, batches = state.newest, state.batches
    state.last, state.used = state.tick, state.used + cost
    if batches > 0 and newest + cost <= size then
      state.newest = newest + cost
      return
    end
    local maxBatches, added, low = policy.maxBatches, '', state.tick % 65536
    local moment = char(floor(low / 256), low % 256)
    if batches == 0 then
      added, batches, state.age = moment, 1, 0
    elseif newest > size and batches < maxBatches then
      -- A debt stays in the newest batch until there is room for batches.
      local more = min(ceil(newest / size) - 1, maxBatches - batches)
      added = rep(sub(state.text, state.to - 1, state.to), more)
      batches, newest = batches + more, newest - more * size
    end
    local taken = max(0, min(cost, size - newest))
    local left = cost - taken
    newest = newest + taken
    if left > 0 then
      local more = min(ceil(left / size), maxBatches - batches)
      if more > 0 then
        added = added .. rep(moment, more)
        batches, newest = batches + more, left - (more - 1) * size
      else
        -- A debt leaves the window as a whole, with its last hit.
        newest = newest + left
        if added == '' then state.to = state.to - 2 else added = sub(added, 1, -3) end
        added = added .. moment
        if batches == 1 then state.age = 0 end
      end
    end
    state.added, state.batches, state.newest = added, batches, min(newest, ${MAX_NEWEST})
    state.used = (batches - 1) * size + state.newest
  end

  function Window.refund(state, policy, cost, moment)
    local batches, size = state.batches, policy.batch
    local age = state.tick - floor(moment / policy.tickMs)
    if batches == 0 or age >= policy.ticks then return end
    if state.size ~= size then
      Window.cut(state, policy, size, 0, 0)
      batches = state.batches
    end
    local begun = 0
    while begun < batches and Window.age(state, begun) >= age do begun = begun + 1 end
    local before = begun == batches and state.used or begun * size
    local count = min(cost, before)
    if count > 0 then Window.cut(state, policy, size, before - count, count) end
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

  function Window.writeRing(state, count)
    parts[count + 1] = sub(state.text, state.from, state.to)
    if not state.added then return count + 1 end
    parts[count + 2] = state.added
    return count + 2
  end

  function Window.write(state, policy, count)
    local batches, last = state.batches, state.last
    if batches == 0 then return count, 0 end
    parts[count + 1] = pack('>c5BI4I6I4', policy.id, 14 + 2 * batches, state.size, last, state.newest)
    return Window.writeRing(state, count + 1), (last + policy.ticks) * policy.tickMs - now
  end

  return Window
end

function RULES.b()
  local Window = ruleOf('s')
  local Blocking = setmetatable({ format = '>c5BI6I4I6I4', size = 26 }, { __index = Window })

  function Blocking.open(state, policy, text, from, to, till, size, last, newest)
    local offered = Window.open(state, policy, text, from, to, size, last, newest)
    state.till = till or 0
    if state.till > now then return 0 end
    if state.till > 0 then
      state.till = 0
      Window.empty(state, policy)
      return policy.limit
    end
    return offered
  end

  function Blocking.denied(state, policy)
    if state.till <= now then state.till = now + policy.blockMs end
  end

  function Blocking.refund(state, policy, cost, moment)
    if state.till <= now then Window.refund(state, policy, cost, moment) end
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

  function Blocking.write(state, policy, count)
    local batches, last = state.batches, state.last
    if state.till <= now and batches == 0 then return count, 0 end
    parts[count + 1] = pack('>c5BI6I4I6I4', policy.id, 20 + 2 * batches, state.till, state.size, last, state.newest)
    return Window.writeRing(state, count + 1), max(state.till - now, (last + policy.ticks) * policy.tickMs - now)
  end

  return Blocking
end
`;
