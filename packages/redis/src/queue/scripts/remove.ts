/**
 * ARGV: window, section, then keys; without keys, a batch of the section, so that a large one blocks nobody: to be repeated until
 * it answers 0. Answers how many there were. What is leased stays. What is removed is still recognised when it is published
 * again.
 */
export const remove = `
local section = ARGV[2]
local removed = 0
local function drop_all(keys)
  if #keys == 0 then return end
  local stones = {}
  drop(keys)
  redis.call('HDEL', count, unpack(keys))
  for _, key in ipairs(keys) do
    forget_latest(key)
    stones[#stones + 1] = key
    stones[#stones + 1] = 'removed'
  end
  redis.call('HSET', done, unpack(stones))
  removed = removed + #keys
end
rotate(tonumber(ARGV[1]))
if #ARGV == 2 then
  if section == 'dead' then
    removed = redis.call('ZCARD', dead)
    redis.call('UNLINK', dead, dead_message, dead_reason)
  elseif section == 'delayed' then
    local keys = redis.call('ZRANGE', delayed, 0, 1999)
    if #keys > 0 then redis.call('ZREM', delayed, unpack(keys)) end
    drop_all(keys)
  else
    drop_all(detach_some())
  end
  return removed
end
for i = 3, #ARGV do
  local key = ARGV[i]
  if section == 'dead' then
    removed = removed + redis.call('ZREM', dead, key)
    redis.call('HDEL', dead_message, key)
    redis.call('HDEL', dead_reason, key)
  elseif section == 'delayed' then
    if redis.call('ZREM', delayed, key) == 1 then drop_all({ key }) end
  elseif detach(key) then
    drop_all({ key })
  end
end
return removed`;
