/* The part of the script that reads the keys of a call and writes them back. A key holds one text: the moment until which it lives (5
 * bytes, tenths of seconds), then the records of its policies. */

/** Keys that one MGET reads: Lua's stack holds a few thousand values. */
const MAX_GET = 1_000;

export const STORED_TEXT = `
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
    lives = min(ceil((now + lasting + max(1000, lasting / 8)) / 100), ${2 ** 40 - 1})
    parts[1] = pack('>I5', lives)
    local text = concat(parts, '', 1, count)
    written[key] = text
    call('SET', key, text, 'PX', string.format('%d', lives * 100 - now + extra))
  end
end
`;
