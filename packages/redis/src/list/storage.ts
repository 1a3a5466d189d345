import { randomBytes } from "node:crypto";
import type { QueueStorage } from "../queue/storage.ts";

/** Lists of keys, one for each band; a hash holds the bytes. The default band, 1, is not written down. */
const lua = `
local ready = { [2] = ready_high, [1] = ready_middle, [0] = ready_low }
local function band_of(key)
  return tonumber(redis.call('HGET', band, key) or '1')
end
local function keep(key, value, bytes)
  redis.call('HSET', messages, key, bytes)
  if value ~= 1 then redis.call('HSET', band, key, value) end
end
local function held(keys) return redis.call('HMGET', messages, unpack(keys)) end
local function total() return redis.call('HLEN', messages) end
local function enter(value, items)
  local keys = {}
  for i = 1, #items, 2 do keys[#keys + 1] = items[i] end
  redis.call('HSET', messages, unpack(items))
  if value ~= 1 then
    for _, key in ipairs(keys) do redis.call('HSET', band, key, value) end
  end
  redis.call('RPUSH', ready[value], unpack(keys))
end
local enter_later = keep
local function ripen(keys)
  for _, key in ipairs(keys) do redis.call('RPUSH', ready[band_of(key)], key) end
end
local function hand_back(key)
  redis.call('LPUSH', ready[band_of(key)], key)
end
local function waits(value)
  return redis.call('EXISTS', ready[value]) == 1
end
local function waits_beside()
  return redis.call('EXISTS', ready_high, ready_low) > 0
end
local function waits_at_all()
  return redis.call('EXISTS', ready_high, ready_middle, ready_low) > 0
end
local function pop(value, number, keys)
  local popped = redis.call('LPOP', ready[value], number)
  if popped then for _, key in ipairs(popped) do keys[#keys + 1] = key end end
end
local function waiting()
  return redis.call('LLEN', ready[0]) + redis.call('LLEN', ready[1]) + redis.call('LLEN', ready[2])
end
local function frames(keys)
  local found = redis.call('HMGET', messages, unpack(keys))
  -- Pushed into the list by somebody else: the list's own bytes are all there is.
  for i, key in ipairs(keys) do found[i] = found[i] or key end
  return found
end
local function owners_of(keys) return redis.call('HMGET', owner, unpack(keys)) end
local function own(keys, token)
  local owners = {}
  for i, key in ipairs(keys) do owners[i * 2 - 1], owners[i * 2] = key, token end
  redis.call('HSET', owner, unpack(owners))
end
local function disown(keys) redis.call('HDEL', owner, unpack(keys)) end
local function drop(keys)
  redis.call('HDEL', messages, unpack(keys))
  redis.call('HDEL', band, unpack(keys))
  redis.call('HDEL', owner, unpack(keys))
end
local function detach(key)
  return redis.call('LREM', ready[band_of(key)], 1, key) == 1
end
local function detach_some()
  for value = 0, 2 do
    local keys = redis.call('LPOP', ready[value], 2000)
    if keys then return keys end
  end
  return {}
end
-- What the last page ended with may be gone by now: then the next one begins where it was.
local function start_of(list, index, key)
  if redis.call('LINDEX', list, index) == key then return index + 1 end
  -- Lists are taken from the head: if it is gone, so are those before it.
  local moved = redis.call('LPOS', list, key)
  return moved and moved + 1 or 0
end
local function page_of_ready(limit, value, position, key)
  local keys, places = {}, {}
  local first = value or 2
  local start = value and start_of(ready[first], tonumber(position), key) or 0
  for current = first, 0, -1 do
    if #keys < limit then
      for i, found in ipairs(redis.call('LRANGE', ready[current], start, start + limit - #keys - 1)) do
        keys[#keys + 1] = found
        places[#places + 1] = current .. ' ' .. start + i - 1
      end
      start = 0
    end
  end
  return keys, places
end
`;

export const listStorage = {
  name: "redis-list",
  prefix: "",
  names: {
    ready_high: "ready:2",
    ready_middle: "ready:1",
    ready_low: "ready:0",
    messages: "message",
    band: "band",
    owner: "owner",
  },
  lua,
  position: /^\d+$/,
  nameConsumer: () => randomBytes(9).toString("base64url"),
} satisfies QueueStorage;
