/**
 * ARGV: window, then kind, key, token and three values of each: retry (key, bytes, "band delay"), reject (reason, time,
 * ""), release, abandon (hand back, counted as a delivery). Answers as `acknowledge`.
 */
export const settle = `
rotate(tonumber(ARGV[1]))
local answers = {}
local function back(key)
  redis.call('ZREM', lease, key)
  disown({ key })
  hand_back(key)
  wake()
end
local kinds = {
  retry = function(key, token, next, bytes, where)
    redis.call('ZREM', lease, key)
    forget(key)
    redis.call('HSET', done, key, token .. ' retry')
    if not held({ next })[1] then
      local value, delay = string.match(where, '^(%d) (%d+)$')
      place(next, bytes, tonumber(value), tonumber(delay))
    end
  end,
  reject = function(key, token, reason, at)
    local bytes = frames({ key })[1] or ''
    redis.call('ZREM', lease, key)
    forget(key)
    redis.call('HSET', dead_message, key, bytes)
    redis.call('HSET', dead_reason, key, reason)
    redis.call('ZADD', dead, at, key)
    redis.call('HSET', done, key, token .. ' reject')
  end,
  release = function(key, token)
    back(key)
    redis.call('HSET', done, token .. ' ' .. key, token .. ' release')
  end,
  abandon = function(key)
    redis.call('HINCRBY', count, key, 1)
    back(key)
  end
}
for i = 2, #ARGV, 6 do
  local kind, key, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local answer = 0
  if owners_of({ key })[1] == token then
    kinds[kind](key, token, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
    answer = 1
  elseif is_settled(kind == 'release' and token .. ' ' .. key or key, token .. ' ' .. kind) then
    answer = 1
  end
  answers[#answers + 1] = answer
end
return table.concat(answers)`;
