/** Keeps tombstones for one to two windows: two hashes that change places, freed whole, never trimmed one by one. */
export const tombstones = `
local function rotate(window)
  local since = tonumber(redis.call('GET', done_since) or '0')
  if now - since < window then return end
  redis.call('UNLINK', done_old)
  if since > 0 and redis.call('EXISTS', done) == 1 then redis.call('RENAME', done, done_old) end
  redis.call('SET', done_since, string.format('%d', now))
end
-- A tombstone says who settled, and how: only the same settlement again is answered as the first was.
local function is_settled(key, by)
  return (redis.call('HGET', done, key) or redis.call('HGET', done_old, key)) == by
end
`;
