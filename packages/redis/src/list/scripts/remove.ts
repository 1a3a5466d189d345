import type { Script } from "../../script.ts";
import { keyNames } from "../keys.ts";
import { bands } from "./bands.ts";
import { tombstones } from "./tombstones.ts";

/**
 * ARGV: window, section, then keys; without keys, a batch of the section, so that a large one blocks nobody: to be repeated until
 * it answers 0. Answers how many there were. What is leased stays. What is removed is still recognised when it is published
 * again.
 */
export const remove: Script = {
  name: "taskferryListRemove",
  lua: `${keyNames}${bands}${tombstones}
local section = ARGV[2]
local removed = 0
local function drop_all(keys)
  local stones = {}
  for _, key in ipairs(keys) do
    forget(key)
    stones[#stones + 1] = key
    stones[#stones + 1] = 'removed'
  end
  if #stones > 0 then redis.call('HSET', done, unpack(stones)) end
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
    for value = 0, 2 do drop_all(redis.call('LPOP', ready[value], 2000) or {}) end
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
  elseif redis.call('LREM', ready[band_of(key)], 1, key) == 1 then
    drop_all({ key })
  end
end
return removed`,
};
