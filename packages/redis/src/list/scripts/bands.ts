// A message's field and list member is its dedupe id, `id:run:hop`. The default band, 1, is not written down.

export const bands = `
local function band_of(key)
  return tonumber(redis.call('HGET', band, key) or '1')
end
local function set_band(key, value)
  if value ~= '1' then redis.call('HSET', band, key, value) end
end
-- Id, and run and hop, of a key, unless they are the first.
local function later(key)
  if string.find(key, ':0:0', -4, true) then return nil end
  return string.match(key, '^(.*):(%d+:%d+)$')
end
local function set_latest(key)
  local id, rest = later(key)
  if id then redis.call('HSET', latest, id, rest) end
end
local function forget_latest(key)
  local id, rest = later(key)
  if id and redis.call('HGET', latest, id) == rest then redis.call('HDEL', latest, id) end
end
local function forget(key)
  redis.call('HDEL', messages, key)
  redis.call('HDEL', band, key)
  redis.call('HDEL', count, key)
  forget_latest(key)
end
local function wake()
  redis.call('ZADD', marker, 0, '1')
end
`;

/** Puts one message where it belongs. A sooner delay than all others wakes who waits, so that it waits anew. */
export const place = `
local function place(key, value, delay)
  if delay > 0 then
    local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    redis.call('ZADD', delayed, now + delay, key)
    if #first == 0 or tonumber(first[2]) > now + delay then wake() end
  else
    redis.call('RPUSH', ready[value], key)
    wake()
  end
end
`;
