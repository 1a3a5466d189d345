// What every script knows of a message beside where it lies: its newest hop, and that it is there.

export const bookkeeping = `
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
  drop({ key })
  redis.call('HDEL', count, key)
  forget_latest(key)
end
local function wake()
  redis.call('ZADD', marker, 0, '1')
end
`;

/** Puts one new message where it belongs. A sooner delay than all others wakes who waits, so that it waits anew. */
export const place = `
local function place(key, bytes, value, delay)
  if delay > 0 then
    local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    enter_later(key, value, bytes)
    redis.call('ZADD', delayed, now + delay, key)
    if #first == 0 or tonumber(first[2]) > now + delay then wake() end
  else
    enter(value, { key, bytes })
    wake()
  end
  set_latest(key)
end
`;
