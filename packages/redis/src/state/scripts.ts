import type { Script } from "../script.ts";

// An entry is a hash of value, revision and its own name; the index is a sorted set of names, all with score 0.

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * KEYS: entry, index, revisions. ARGV: name, value, ttl (0: none), expected ("": any, "absent", or a revision), channel.
 * Answers { 1, revision } or { 0, value, revision, expiry } of what stands instead.
 */
export const put: Script = {
  name: "taskferryStatePut",
  lua: `${clock}
local value, revision = unpack(redis.call('HMGET', KEYS[1], 'value', 'revision'))
local expected = ARGV[4]
if expected ~= '' and not (expected == 'absent' and not revision or expected == revision) then
  if not revision then return { 0 } end
  local left = redis.call('PTTL', KEYS[1])
  return { 0, value, revision, left >= 0 and now + left or -1 }
end
local next = string.format('%d', redis.call('INCR', KEYS[3]))
redis.call('HSET', KEYS[1], 'value', ARGV[2], 'revision', next)
local ttl = tonumber(ARGV[3])
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl) else redis.call('PERSIST', KEYS[1]) end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('PUBLISH', ARGV[5], 'put ' .. next .. ' ' .. (ttl > 0 and string.format('%d', now + ttl) or '-1') .. ' ' .. #ARGV[1] .. ' ' .. ARGV[1] .. ARGV[2])
return { 1, next }`,
};

/** KEYS: entry, index, revisions. ARGV: name, expected ("": any), channel. Answers 1 when it was there and is gone. */
export const remove: Script = {
  name: "taskferryStateDelete",
  lua: `
local revision = redis.call('HGET', KEYS[1], 'revision')
if not revision or ARGV[2] ~= '' and ARGV[2] ~= revision then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[3], 'delete ' .. redis.call('INCR', KEYS[3]) .. ' -1 ' .. #ARGV[1] .. ' ' .. ARGV[1])
return 1`,
};

/** KEYS: entries. Answers value, revision and expiry (-1: none) of each, or nothing. */
export const get: Script = {
  name: "taskferryStateGet",
  lua: `${clock}
local found = {}
for i, key in ipairs(KEYS) do
  local value, revision = unpack(redis.call('HMGET', key, 'value', 'revision'))
  if revision then
    local left = redis.call('PTTL', key)
    found[i] = { value, revision, left >= 0 and now + left or -1 }
  else
    found[i] = {}
  end
end
return found`,
};

/** KEYS: index. ARGV: first and last name as ZRANGEBYLEX bounds, limit, head of the entries' keys. Answers name, value, revision, expiry of each; names that expired are taken out of the index and answered with no value. */
export const list: Script = {
  name: "taskferryStateList",
  lua: `${clock}
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, tonumber(ARGV[3]))
local found = {}
for _, name in ipairs(names) do
  local key = ARGV[4] .. name
  local value, revision = unpack(redis.call('HMGET', key, 'value', 'revision'))
  if not revision then
    redis.call('ZREM', KEYS[1], name)
    found[#found + 1] = { name }
  else
    local left = redis.call('PTTL', key)
    found[#found + 1] = { name, value, revision, left >= 0 and now + left or -1 }
  end
end
return found`,
};

/** KEYS: counter. ARGV: by, ttl, ceiling (-1: none). Answers the value and whether it was added. */
export const increment: Script = {
  name: "taskferryStateIncrement",
  lua: `
local value = tonumber(redis.call('GET', KEYS[1]) or '0')
local by, ceiling = tonumber(ARGV[1]), tonumber(ARGV[3])
if ceiling >= 0 and value + by > ceiling then return { value, 0 } end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { redis.call('INCRBY', KEYS[1], ARGV[1]), 1 }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { by, 1 }`,
};

const dropExpired = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
`;

/** KEYS: set. ARGV: ttl, max (-1: none), members. Answers the size and the members added. */
export const add: Script = {
  name: "taskferryStateAdd",
  lua: `${clock}${dropExpired}
local ttl, max = tonumber(ARGV[1]), tonumber(ARGV[2])
local size = redis.call('ZCARD', KEYS[1])
local added = {}
for i = 3, #ARGV do
  local isThere = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if isThere or max < 0 or size < max then
    redis.call('ZADD', KEYS[1], now + ttl, ARGV[i])
    if not isThere then
      size = size + 1
      added[#added + 1] = ARGV[i]
    end
  end
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if #last > 0 then redis.call('PEXPIREAT', KEYS[1], string.format('%d', tonumber(last[2]) + 1000)) end
return { size, added }`,
};

/** KEYS: set. ARGV: members. Answers how many were there, and the size after. */
export const take: Script = {
  name: "taskferryStateRemove",
  lua: `${clock}${dropExpired}
local removed = 0
for first = 1, #ARGV, 1000 do
  removed = removed + redis.call('ZREM', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
return { removed, redis.call('ZCARD', KEYS[1]) }`,
};

/** KEYS: set. Answers the members that have not expired. */
export const members: Script = {
  name: "taskferryStateMembers",
  lua: `${clock}${dropExpired}
return redis.call('ZRANGE', KEYS[1], 0, -1)`,
};
