import type { Script } from "../../script.ts";
import { keyNames } from "../keys.ts";

/**
 * ARGV: section, limit, then where the last page ended: score and key, or, for what is ready, band, index and key.
 * Answers keys, their places ("score", or "band index"), bytes, and the reasons of dead letters.
 */
export const page: Script = {
  name: "taskferryListPage",
  lua: `${keyNames}
local section, limit = ARGV[1], tonumber(ARGV[2])
local keys, places = {}, {}
-- What the last page ended with may be gone by now: then the next one begins where it was.
local function start_of_ready(list, index, key)
  if redis.call('LINDEX', list, index) == key then return index + 1 end
  -- Lists are taken from the head: if it is gone, so are those before it.
  local moved = redis.call('LPOS', list, key)
  return moved and moved + 1 or 0
end
local function start_of_set(set, score, key)
  local newest_first = section == 'dead'
  if redis.call('ZSCORE', set, key) == score then
    return redis.call(newest_first and 'ZREVRANK' or 'ZRANK', set, key) + 1
  end
  local before = newest_first and redis.call('ZCOUNT', set, '(' .. score, '+inf')
    or redis.call('ZCOUNT', set, '-inf', '(' .. score)
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', set, score, score)) do
    if newest_first and other > key or not newest_first and other < key then before = before + 1 end
  end
  return before
end
if section == 'ready' then
  local first = tonumber(ARGV[3] or '2')
  local start = ARGV[3] and start_of_ready(ready[first], tonumber(ARGV[4]), ARGV[5]) or 0
  for value = first, 0, -1 do
    if #keys < limit then
      for i, key in ipairs(redis.call('LRANGE', ready[value], start, start + limit - #keys - 1)) do
        keys[#keys + 1] = key
        places[#places + 1] = value .. ' ' .. start + i - 1
      end
      start = 0
    end
  end
else
  local set = ({ delayed = delayed, running = lease, dead = dead })[section]
  local start = ARGV[3] and start_of_set(set, ARGV[3], ARGV[4]) or 0
  local found = redis.call(section == 'dead' and 'ZREVRANGE' or 'ZRANGE', set, start, start + limit - 1, 'WITHSCORES')
  for i = 1, #found, 2 do
    keys[#keys + 1] = found[i]
    places[#places + 1] = found[i + 1]
  end
end
if #keys == 0 then return { keys, keys, keys, keys } end
local frames = redis.call('HMGET', section == 'dead' and dead_message or messages, unpack(keys))
local reasons = section == 'dead' and redis.call('HMGET', dead_reason, unpack(keys)) or {}
return { keys, places, frames, reasons }`,
};
