import type { Script } from "../../script.ts";
import { keyNames } from "../keys.ts";
import { bands, place } from "./bands.ts";
import { tombstones } from "./tombstones.ts";

/**
 * ARGV: window, max length, packed key and bytes of each message, packed band and delay of each ("" for band 1 without
 * delay; instead of the list, "" where all are so). Answers a digit for each: 1 accepted, 0 duplicate, 2 full; nothing
 * when all are accepted.
 */
export const publish: Script = {
  name: "taskferryListPublish",
  lua: `${keyNames}${tombstones}${bands}${place}
rotate(tonumber(ARGV[1]))
local limit = tonumber(ARGV[2])
local items = cmsgpack.unpack(ARGV[3])
local places = ARGV[4] ~= '' and cmsgpack.unpack(ARGV[4])
local keys = {}
for i = 1, #items, 2 do keys[#keys + 1] = items[i] end
local recent = redis.call('HMGET', done, unpack(keys))
local older = redis.call('HMGET', done_old, unpack(keys))
local held = redis.call('HMGET', messages, unpack(keys))
local free = limit > 0 and limit - redis.call('HLEN', messages) or #keys
local plain, special, fresh, seen, answers = {}, {}, {}, {}, {}
for i, key in ipairs(keys) do
  if recent[i] or older[i] or held[i] or seen[key] then
    answers[i] = 0
  elseif #fresh / 2 >= free then
    answers[i] = 2
  else
    seen[key] = true
    answers[i] = 1
    fresh[#fresh + 1] = key
    fresh[#fresh + 1] = items[i * 2]
    if places and places[i] ~= '' then special[key] = places[i] else plain[#plain + 1] = key end
  end
end
if #fresh > 0 then redis.call('HSET', messages, unpack(fresh)) end
if #plain > 0 then
  redis.call('RPUSH', ready[1], unpack(plain))
  wake()
end
for i = 1, #fresh, 2 do
  local key = fresh[i]
  if special[key] then
    local value, delay = string.match(special[key], '^(%d) (%d+)$')
    set_band(key, value)
    place(key, tonumber(value), tonumber(delay))
  end
  set_latest(key)
end
return #fresh == #items and '' or table.concat(answers)`,
};
