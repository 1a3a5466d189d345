import type { Script } from "../script.ts";

/**
 * KEYS: one for each outcome, which ends with its id. ARGV: what the channels of ids begin with, and those of processes ("":
 * there are none), packed run, time to live and value of each; an id ends with its process, and a value begins with its run
 * and a line feed. The first of a run wins, a higher run replaces. Answers "" for what won, else the value that stands;
 * nothing when all won.
 */
export const store: Script = {
  name: "taskferryResultsStore",
  lua: `
local items = cmsgpack.unpack(ARGV[3])
local answers, won = {}, 0
local values = redis.call('MGET', unpack(KEYS))
local standing = {}
for i, key in ipairs(KEYS) do standing[key] = values[i] end
for i, key in ipairs(KEYS) do
  local run, ttl, value = tonumber(items[i * 3 - 2]), items[i * 3 - 1], items[i * 3]
  local other = standing[key]
  -- What is no outcome does not stand.
  if other and tonumber(string.match(other, '^(%d+)\\n') or '-1') >= run and other ~= value then
    answers[i] = other
  else
    -- The same value again is the same store again, its reply lost: nobody needs to be told twice, and nothing changes.
    if other ~= value then
      redis.call('SET', key, value, 'PX', ttl)
      redis.call('PUBLISH', ARGV[1] .. string.match(key, '^.*}:(.*)$'), value)
      if ARGV[2] ~= '' and string.sub(key, -13, -13) == '-' then
        redis.call('PUBLISH', ARGV[2] .. string.sub(key, -12), value)
      end
      standing[key] = value
    end
    answers[i] = ''
    won = won + 1
  end
end
return won < #KEYS and answers or {}`,
};
