/** The consumer group that workers read with. */
export const group = "taskferry";
/** The consumer that has what was handed back, until somebody takes it again. */
export const waitingRoom = "handed-back";

/**
 * A stream for each band, an entry for each message: its key is the only field, its bytes the value. A hash leads from keys
 * to entries, as "band id", "band id owner" while somebody holds it, or "band delayed". What another program adds has no key
 * of ours: it is known as "band/id", and in the hash only while it is held.
 */
export const entries = `
local stream = { [2] = stream_high, [1] = stream_middle, [0] = stream_low }
local returned = { [2] = returned_high, [1] = returned_middle, [0] = returned_low }
-- The list of keys that entries were read into last, and the place and the bytes of each.
local read_into, places_read, bytes_read
local function is_foreign(key) return string.find(key, '^[012]/') ~= nil end
local function read_place(key, found)
  -- Ours are as we wrote them.
  if found then
    local cut = string.find(found, ' ', 3, true)
    return string.byte(found) - 48, string.sub(found, 3, cut and cut - 1)
  end
  local value, id = string.match(key, '^([012])/(.+)$')
  return tonumber(value), id
end
local function place_of(key)
  return read_place(key, redis.call('HGET', entry, key))
end
local function held(keys) return redis.call('HMGET', entry, unpack(keys)) end
local function total()
  return redis.call('XLEN', stream[0]) + redis.call('XLEN', stream[1]) + redis.call('XLEN', stream[2])
    + redis.call('ZCARD', delayed)
end
local function enter(value, items)
  local places = {}
  local band = value .. ' '
  for i = 1, #items, 2 do
    places[i] = items[i]
    places[i + 1] = band .. redis.call('XADD', stream[value], '*', items[i], items[i + 1])
  end
  redis.call('HSET', entry, unpack(places))
end
local function enter_later(key, value, bytes)
  redis.call('HSET', delayed_message, key, bytes)
  redis.call('HSET', entry, key, value .. ' delayed')
end
local function ripen(keys)
  local frames = redis.call('HMGET', delayed_message, unpack(keys))
  for i, key in ipairs(keys) do
    local value = place_of(key)
    if frames[i] then enter(value, { key, frames[i] }) end
  end
  redis.call('HDEL', delayed_message, unpack(keys))
end
-- The key and the bytes of what another program wrote: it may have any fields, or be a copy of one of ours.
local function read_foreign(value, id, fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'm' then return value .. '/' .. id, fields[i + 1] end
  end
  if #fields == 2 and string.find(fields[1], ':%d+:%d+$') then return value .. '/' .. id, fields[2] end
  return value .. '/' .. id, table.concat(fields, '\\n')
end
local function leads_to(place, value, id)
  if not place or string.byte(place) - 48 ~= value then return false end
  -- Held or not.
  return string.sub(place, 3) == id or string.sub(place, 3, #id + 3) == id .. ' '
end
-- Appends the keys of entries, and keeps their places and bytes for later.
local function read_entries(value, found, keys)
  if keys ~= read_into then read_into, places_read, bytes_read = keys, {}, {} end
  if #found == 0 then return end
  local names = {}
  for i = 1, #found do names[i] = found[i][2][1] end
  local known = redis.call('HMGET', entry, unpack(names))
  local before = #keys
  for i = 1, #found do
    local id, fields, place = found[i][1], found[i][2], known[i]
    local key, bytes = names[i], fields[2]
    if #fields ~= 2 or not leads_to(place, value, id) then
      key, bytes = read_foreign(value, id, fields)
      place = value .. ' ' .. id
    end
    keys[before + i], places_read[before + i], bytes_read[before + i] = key, place, bytes
  end
end
local function read_bytes(key)
  local value, id = place_of(key)
  if id == 'delayed' then return redis.call('HGET', delayed_message, key) end
  if not id then return false end
  read_entries(value, redis.call('XRANGE', stream[value], id, id), {})
  return bytes_read[1] or false
end
local function frames(keys)
  local answer = keys == read_into and bytes_read or {}
  for i = 1, #keys do
    if not answer[i] then answer[i] = read_bytes(keys[i]) end
  end
  return answer
end
local function own(keys, token)
  local owned, ending = {}, ' ' .. token
  for i = 1, #keys do owned[i * 2 - 1], owned[i * 2] = keys[i], places_read[i] .. ending end
  redis.call('HSET', entry, unpack(owned))
end
-- Whose owners were asked for last, and their places.
local asked_of, places_asked
local function owners_of(keys)
  local owners = {}
  asked_of, places_asked = keys, redis.call('HMGET', entry, unpack(keys))
  for i = 1, #keys do
    local found = places_asked[i]
    local cut = found and string.find(found, ' ', 3, true)
    owners[i] = cut and string.sub(found, cut + 1)
  end
  return owners
end
local function disown(keys)
  for i, found in ipairs(redis.call('HMGET', entry, unpack(keys))) do
    local cut = found and string.find(found, ' ', 3, true)
    if cut and is_foreign(keys[i]) then
      redis.call('HDEL', entry, keys[i])
    elseif cut then
      redis.call('HSET', entry, keys[i], string.sub(found, 1, cut - 1))
    end
  end
end
local function drop(keys)
  local places = keys == asked_of and places_asked or redis.call('HMGET', entry, unpack(keys))
  local ids = { [0] = {}, {}, {} }
  local late = {}
  for i = 1, #keys do
    local value, id = read_place(keys[i], places[i])
    if id == 'delayed' then
      late[#late + 1] = keys[i]
    elseif id then
      local some = ids[value]
      some[#some + 1] = id
    end
  end
  for value = 0, 2 do
    if #ids[value] > 0 then
      redis.call('XACK', stream[value], '${group}', unpack(ids[value]))
      redis.call('XDEL', stream[value], unpack(ids[value]))
    end
  end
  if #late > 0 then redis.call('HDEL', delayed_message, unpack(late)) end
  redis.call('HDEL', entry, unpack(keys))
end
`;
