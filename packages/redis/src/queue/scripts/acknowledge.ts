/**
 * ARGV: window, packed key and token of each. Answers a digit for each: 1 settled, 0 lost; nothing when all are settled. The
 * commonest settlement, in few calls.
 */
export const acknowledge = `
rotate(tonumber(ARGV[1]))
local items = cmsgpack.unpack(ARGV[2])
local keys = {}
for i = 1, #items, 2 do keys[#keys + 1] = items[i] end
local owners = redis.call('HMGET', owner, unpack(keys))
local mine, stones, answers = {}, {}, {}
local last, stone
for i, key in ipairs(keys) do
  local token = items[i * 2]
  if owners[i] == token then
    answers[i] = 1
    mine[#mine + 1] = key
    stones[#stones + 1] = key
    if token ~= last then last, stone = token, token .. ' ack' end
    stones[#stones + 1] = stone
  else
    answers[i] = is_settled(key, token .. ' ack') and 1 or 0
  end
end
if #mine > 0 then
  drop(mine)
  redis.call('ZREM', lease, unpack(mine))
  redis.call('HDEL', owner, unpack(mine))
  if redis.call('EXISTS', count) == 1 then redis.call('HDEL', count, unpack(mine)) end
  for _, key in ipairs(mine) do
    if string.sub(key, -4) ~= ':0:0' then forget_latest(key) end
  end
  redis.call('HSET', done, unpack(stones))
end
return #mine == #keys and '' or table.concat(answers)`;
