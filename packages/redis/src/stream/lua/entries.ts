/** The consumer group that workers read with. */
export const group = "taskferry";
/** The consumer that has what was handed back, until somebody takes it again. */
export const waitingRoom = "handed-back";

/**
 * A stream for each band, an entry for each message: its key in the field `k`, its bytes in `m`. A hash leads from keys to
 * entries, as "band id", or "band delayed". What another program adds has no key of ours: it is known as "band/id".
 */
export const entries = `
local stream = { [2] = stream_high, [1] = stream_middle, [0] = stream_low }
local returned = { [2] = returned_high, [1] = returned_middle, [0] = returned_low }
-- Bytes that were read already.
local bodies = {}
local function read_place(key, found)
  -- Ours are as we wrote them.
  if found then return string.byte(found) - 48, string.sub(found, 3) end
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
    places[i + 1] = band .. redis.call('XADD', stream[value], '*', 'k', items[i], 'm', items[i + 1])
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
-- The key and the bytes of what another program wrote: it may have any fields, or a key of ours.
local function read_foreign(value, id, fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'm' then return value .. '/' .. id, fields[i + 1] end
  end
  return value .. '/' .. id, table.concat(fields, '\\n')
end
-- Appends the keys of entries, and keeps their bytes for later.
local function read_entries(value, found, keys)
  if #found == 0 then return end
  local names = {}
  for i = 1, #found do
    local fields = found[i][2]
    names[i] = fields[1] == 'k' and fields[2] or ''
  end
  local known = redis.call('HMGET', entry, unpack(names))
  local band, before = value .. ' ', #keys
  for i = 1, #found do
    local id, fields = found[i][1], found[i][2]
    local key, bytes = names[i], fields[4]
    if known[i] ~= band .. id or fields[3] ~= 'm' or #fields ~= 4 then key, bytes = read_foreign(value, id, fields) end
    bodies[key] = bytes
    keys[before + i] = key
  end
end
local function frames(keys)
  local answer = {}
  for i, key in ipairs(keys) do
    if bodies[key] == nil then
      local value, id = place_of(key)
      if id == 'delayed' then
        bodies[key] = redis.call('HGET', delayed_message, key)
      elseif id then
        read_entries(value, redis.call('XRANGE', stream[value], id, id), {})
      end
    end
    answer[i] = bodies[key] or false
  end
  return answer
end
local function drop(keys)
  local places = redis.call('HMGET', entry, unpack(keys))
  local ids = { [0] = {}, {}, {} }
  local late = {}
  for i, key in ipairs(keys) do
    local value, id = read_place(key, places[i])
    if id == 'delayed' then
      late[#late + 1] = key
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
