import { group, waitingRoom } from "./entries.ts";

/**
 * The group begins at 0, so that what was added before the first worker came is delivered; it is made where it is missing.
 * Pending entries are always those of who holds them, so that XPENDING tells the truth; what decides is the lease.
 */
export const taking = `
local function in_group(value, name, ...)
  local reply = redis.pcall(name, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if not string.find(reply.err, 'NOGROUP', 1, true) then error(reply.err) end
  redis.call('XGROUP', 'CREATE', stream[value], '${group}', '0', 'MKSTREAM')
  return redis.call(name, ...)
end
-- Id of the last entry that the group has given out.
local function last_given(value)
  local groups = redis.pcall('XINFO', 'GROUPS', stream[value])
  for _, one in ipairs(groups) do
    local facts = {}
    for i = 1, #one, 2 do facts[one[i]] = one[i + 1] end
    if facts.name == '${group}' then return facts['last-delivered-id'] end
  end
  return '0-0'
end
local function waits(value)
  if redis.call('XLEN', stream[value]) == 0 then return false end
  if redis.call('EXISTS', returned[value]) == 1 then return true end
  return #redis.call('XRANGE', stream[value], '(' .. last_given(value), '+', 'COUNT', 1) > 0
end
local function waits_beside() return waits(2) or waits(0) end
local function waits_at_all() return waits(2) or waits(1) or waits(0) end
local function hand_back(key)
  local value, id = place_of(key)
  redis.call('LPUSH', returned[value], key)
  in_group(value, 'XCLAIM', stream[value], '${group}', '${waitingRoom}', 0, id, 'FORCE', 'JUSTID')
end
local function pop_returned(value, number, keys)
  for _, key in ipairs(redis.call('LPOP', returned[value], number) or {}) do
    local _, id = place_of(key)
    local times = tonumber(redis.call('HGET', count, key) or '0') + 1
    local found = id and in_group(
      value, 'XCLAIM', stream[value], '${group}', taker, 0, id, 'RETRYCOUNT', times, 'FORCE')
    if found and found[1] then
      read_entries(value, found, keys)
    else
      -- Somebody else has deleted the entry.
      drop({ key })
      redis.call('HDEL', count, key)
    end
  end
end
local function pop(value, number, keys)
  local wanted = #keys + number
  pop_returned(value, number, keys)
  if #keys == wanted then return end
  local reply = in_group(
    value, 'XREADGROUP', 'GROUP', '${group}', taker, 'COUNT', wanted - #keys, 'STREAMS', stream[value], '>')
  if reply then read_entries(value, reply[1][2], keys) end
end
`;
