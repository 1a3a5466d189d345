/**
 * ARGV: window, packed keys, packed tokens, each followed by how many of the keys it goes with. Answers a digit for each key:
 * 1 settled, 0 lost; nothing when all are settled. The commonest settlement, in few calls.
 */
export const acknowledge = `
rotate(tonumber(ARGV[1]))
local keys = cmsgpack.unpack(ARGV[2])
local runs = cmsgpack.unpack(ARGV[3])
local owners = owners_of(keys)
local stones, answers, lost = {}, {}, 0
local at = 0
for run = 1, #runs, 2 do
  local token, stone = runs[run], runs[run] .. ' ack'
  for i = at + 1, at + tonumber(runs[run + 1]) do
    if owners[i] == token then
      stones[i * 2 - 1], stones[i * 2] = keys[i], stone
      answers[i] = 1
    else
      answers[i] = is_settled(keys[i], stone) and 1 or 0
      lost = lost + 1
    end
  end
  at = at + tonumber(runs[run + 1])
end
local mine = keys
if lost > 0 then
  local all = stones
  mine, stones = {}, {}
  for i = 1, #keys do
    if all[i * 2] then
      mine[#mine + 1] = keys[i]
      stones[#stones + 1] = keys[i]
      stones[#stones + 1] = all[i * 2]
    end
  end
end
if #mine > 0 then
  drop(mine)
  redis.call('ZREM', lease, unpack(mine))
  if redis.call('EXISTS', count, latest) > 0 then
    redis.call('HDEL', count, unpack(mine))
    for i = 1, #mine do forget_latest(mine[i]) end
  end
  redis.call('HSET', done, unpack(stones))
end
return lost == 0 and '' or table.concat(answers)`;
