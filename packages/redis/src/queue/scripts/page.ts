/**
 * ARGV: section, limit, then where the last page ended: score and key, or, for what is ready, band, position and key.
 * Answers keys, their places ("score", or "band position"), bytes, and the reasons of dead letters.
 */
export const page = `
local section, limit = ARGV[1], tonumber(ARGV[2])
local keys, places = {}, {}
-- What the last page ended with may be gone by now: then the next one begins where it was.
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
  keys, places = page_of_ready(limit, tonumber(ARGV[3]), ARGV[4], ARGV[5])
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
if section ~= 'dead' then return { keys, places, frames(keys), {} } end
return { keys, places, redis.call('HMGET', dead_message, unpack(keys)), redis.call('HMGET', dead_reason, unpack(keys)) }`;
