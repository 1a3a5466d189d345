/** A page or a removal reads no more bodies at once than the server can hold beside its data. */
const mostAtOnce = 100;

/** What waits is in no sorted set: it was handed back, or it comes after the last entry that the group has given out. */
export const looking = `
local function waiting()
  local there = redis.call('XLEN', stream[0]) + redis.call('XLEN', stream[1]) + redis.call('XLEN', stream[2])
  return math.max(0, there - redis.call('ZCARD', lease))
end
local function detach(key)
  local value, id = place_of(key)
  if not id or id == 'delayed' or redis.call('ZSCORE', lease, key) then return false end
  if #redis.call('XRANGE', stream[value], id, id) == 0 then return false end
  redis.call('LREM', returned[value], 1, key)
  return true
end
local function detach_some()
  for value = 0, 2 do
    local keys = redis.call('LPOP', returned[value], ${mostAtOnce}) or {}
    if #keys == 0 then
      local found = redis.call('XRANGE', stream[value], '(' .. last_given(value), '+', 'COUNT', ${mostAtOnce})
      read_entries(value, found, keys)
    end
    if #keys > 0 then return keys end
  end
  return {}
end
local function newer(id, other)
  local time, number = string.match(id, '(%d+)-(%d+)')
  local other_time, other_number = string.match(other, '(%d+)-(%d+)')
  if time ~= other_time then return tonumber(time) > tonumber(other_time) end
  return tonumber(number) > tonumber(other_number)
end
-- What the last page ended with may be gone by now: then the next one begins where it was.
local function start_of(list, index, key)
  if redis.call('LINDEX', list, index) == key then return index + 1 end
  -- Lists are taken from the head: if it is gone, so are those before it.
  local moved = redis.call('LPOS', list, key)
  return moved and moved + 1 or 0
end
local function page_of_ready(limit, first, position, last_key)
  local keys, places = {}, {}
  for value = first or 2, 0, -1 do
    local index, after = 0, last_given(value)
    if value == first and tonumber(position) then
      index = start_of(returned[value], tonumber(position), last_key)
    elseif value == first then
      -- Entries come after what was handed back.
      index = redis.call('LLEN', returned[value])
      if newer(position, after) then after = position end
    end
    if #keys < limit then
      for i, key in ipairs(redis.call('LRANGE', returned[value], index, index + limit - #keys - 1)) do
        keys[#keys + 1] = key
        places[#places + 1] = value .. ' ' .. index + i - 1
      end
    end
    if #keys < limit then
      local found = redis.call('XRANGE', stream[value], '(' .. after, '+', 'COUNT', limit - #keys)
      read_entries(value, found, keys)
      for _, one in ipairs(found) do places[#places + 1] = value .. ' ' .. one[1] end
    end
  end
  return keys, places
end
`;
