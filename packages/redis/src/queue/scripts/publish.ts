/**
 * ARGV: window, max length, packed key and bytes of each message, packed band and delay of each ("" for band 1 without
 * delay; instead of the list, "" where all are so). Answers a digit for each: 1 accepted, 0 duplicate, 2 full; nothing
 * when all are accepted.
 */
export const publish = `
rotate(tonumber(ARGV[1]))
local limit = tonumber(ARGV[2])
local items = cmsgpack.unpack(ARGV[3])
local places = ARGV[4] ~= '' and cmsgpack.unpack(ARGV[4])
local keys = {}
for i = 1, #items, 2 do keys[#keys + 1] = items[i] end
local recent = redis.call('HMGET', done, unpack(keys))
local older = redis.call('HMGET', done_old, unpack(keys))
local known = held(keys)
local free = limit > 0 and limit - total() or #keys
local plain, special, seen, answers = {}, {}, {}, {}
local fresh = 0
for i, key in ipairs(keys) do
  if recent[i] or older[i] or known[i] or seen[key] then
    answers[i] = 0
  elseif fresh >= free then
    answers[i] = 2
  else
    seen[key] = true
    answers[i] = 1
    fresh = fresh + 1
    if places and places[i] ~= '' then
      special[#special + 1] = i
    else
      plain[#plain + 1] = key
      plain[#plain + 1] = items[i * 2]
    end
  end
end
if #plain > 0 then
  enter(1, plain)
  for i = 1, #plain, 2 do set_latest(plain[i]) end
  wake()
end
for _, i in ipairs(special) do
  local value, delay = string.match(places[i], '^(%d) (%d+)$')
  place(keys[i], items[i * 2], tonumber(value), tonumber(delay))
end
return fresh == #keys and '' or table.concat(answers)`;
