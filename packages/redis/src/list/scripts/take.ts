import type { Script } from "../../script.ts";
import { keyNames } from "../keys.ts";
import { bands } from "./bands.ts";
import { tombstones } from "./tombstones.ts";

/** Moves due delayed messages to the back, and messages whose lease has ended to the front, of their band. */
const promote = `
local function promote()
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 500)
  if #due > 0 then
    redis.call('ZREM', delayed, unpack(due))
    for _, key in ipairs(due) do redis.call('RPUSH', ready[band_of(key)], key) end
  end
  local ended = redis.call('ZRANGEBYSCORE', lease, '-inf', now, 'LIMIT', 0, 500)
  if #ended > 0 then
    redis.call('ZREM', lease, unpack(ended))
    redis.call('HDEL', owner, unpack(ended))
    for i = #ended, 1, -1 do
      redis.call('HINCRBY', count, ended[i], 1)
      redis.call('LPUSH', ready[band_of(ended[i])], ended[i])
    end
  end
end
`;

/**
 * KEYS: one more, for the number of the consumer's last request that got something. ARGV: max, lease, consumer, number of
 * the request, window. Answers keys, bytes and former deliveries of what it handed out,
 * and the milliseconds until something can become ready by itself (-1: nothing). The same request again gets the same
 * messages, each with a whole lease: its first reply may have been lost, and it may come when that lease is nearly over.
 * A request that arrives when a later one has been answered, from a connection given up since, gets nothing.
 */
export const take: Script = {
  name: "taskferryListTake",
  lua: `${keyNames}${bands}${tombstones}${promote}
begin_to_write()
rotate(tonumber(ARGV[5]))
local request = KEYS[19]
local max = tonumber(ARGV[1])
local token = ARGV[3] .. ' ' .. ARGV[4]
local keys = {}
local deadline = now + tonumber(ARGV[2])
local answered = tonumber(redis.call('GET', request) or '0')
local asked = tonumber(ARGV[4])
if asked == answered then
  local held = redis.call('HGETALL', owner)
  for i = 1, #held, 2 do
    if held[i + 1] == token then
      keys[#keys + 1] = held[i]
      redis.call('ZADD', lease, deadline, held[i])
    end
  end
elseif asked > answered then
  promote()
  local function pop(value, number)
    local popped = number > 0 and redis.call('LPOP', ready[value], number)
    if popped then for _, key in ipairs(popped) do keys[#keys + 1] = key end end
  end
  local low = redis.call('LLEN', ready[0])
  local middle = redis.call('LLEN', ready[1])
  local high = redis.call('LLEN', ready[2])
  if high == 0 and low == 0 then
    pop(1, max)
  else
    -- One in eight comes from a lower band that waits, counted over all takes.
    local lower, round = 0, 0
    if high > 0 and middle + low > 0 or high == 0 and middle > 0 and low > 0 then
      local before = redis.call('INCRBY', turn, max) - max
      round = math.floor((before + max) / 8)
      lower = round - math.floor(before / 8)
    end
    if high > 0 then
      pop(2, math.max(0, max - lower))
      -- The two lower bands take turns.
      pop((middle == 0 or low > 0 and round % 2 == 0) and 0 or 1, lower)
    else
      pop(1, math.max(0, max - lower))
      pop(0, lower)
    end
    for value = 2, 0, -1 do pop(value, max - #keys) end
  end
  if #keys > 0 then
    local leases, owners = {}, {}
    for i, key in ipairs(keys) do
      leases[i * 2 - 1], leases[i * 2] = deadline, key
      owners[i * 2 - 1], owners[i * 2] = key, token
    end
    redis.call('ZADD', lease, unpack(leases))
    redis.call('HSET', owner, unpack(owners))
    -- It is of use for as long as a request may come again; a consumer that is gone leaves nothing for ever.
    redis.call('SET', request, ARGV[4], 'PX', ARGV[2] + 60000)
  end
end
local waiting = redis.call('LLEN', ready[2]) + redis.call('LLEN', ready[1]) + redis.call('LLEN', ready[0])
if waiting > 0 then wake() end
if #keys == 0 then
  local next = -1
  for _, set in ipairs({ delayed, lease }) do
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if #first > 0 then
      local left = math.max(1, tonumber(first[2]) - now)
      if next < 0 or left < next then next = left end
    end
  end
  return { keys, keys, keys, next }
end
local frames = redis.call('HMGET', messages, unpack(keys))
for i, key in ipairs(keys) do
  if not frames[i] then
    -- Pushed into the list by somebody else: the list's own bytes are all there is.
    redis.call('HSET', messages, key, key)
    frames[i] = key
  end
end
local former = redis.call('HMGET', count, unpack(keys))
local counts = {}
for i = 1, #keys do counts[i] = tonumber(former[i] or '0') end
return { keys, frames, counts, -1 }`,
};
