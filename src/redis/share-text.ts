/* Texts that processes share for an hour: one hash, with a field for each process. Redis's clock says which are too old. */
import type { ScriptRunner } from './read-client.js';

const HOUR_MS = 3_600_000;
/** Processes. Of more, the newest are kept. */
const MAX_NAMES = 64;

/**
 * The time stands before each text: fields of a hash have no expiry of their own before Redis 7.4. A field of another form is deleted, and
 * one from far ahead, which a server with another system time has left: it would outlive those of every process.
 */
const SHARE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ':' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local all = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #all, 2 do
  local at = string.find(all[i + 1], ':', 1, true)
  local since = at and tonumber(string.sub(all[i + 1], 1, at - 1))
  if since and since <= now + 60000 then found[#found + 1] = { since, all[i], string.sub(all[i + 1], at + 1) }
  else redis.call('HDEL', KEYS[1], all[i]) end
end
table.sort(found, function(a, b) return a[1] > b[1] end)
local texts = {}
for i, each in ipairs(found) do
  if i <= tonumber(ARGV[4]) and now - each[1] < tonumber(ARGV[3]) then texts[#texts + 1] = each[3]
  else redis.call('HDEL', KEYS[1], each[2]) end
end
return texts`;

/** @returns the texts of all names, this one's included */
export async function shareText(
  runner: ScriptRunner,
  key: string,
  name: string,
  text: string,
): Promise<readonly string[]> {
  const texts = await runner.eval(SHARE, [key], [name, text, String(HOUR_MS), String(MAX_NAMES)]);
  return (texts as unknown[]).map(String);
}
