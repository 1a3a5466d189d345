import type { Script } from "../script.ts";

/**
 * KEYS: one for each outcome. ARGV: channel, run, time to live and value of each; a value begins with its run and a line
 * feed. The first of a run wins, a higher run replaces. Answers "" for what won, else the value that stands.
 */
export const store: Script = {
  name: "taskferryResultsStore",
  lua: `
local answers = {}
local values = redis.call('MGET', unpack(KEYS))
local standing = {}
for i, key in ipairs(KEYS) do standing[key] = values[i] end
for i, key in ipairs(KEYS) do
  local channel, run, ttl, value = ARGV[i * 4 - 3], tonumber(ARGV[i * 4 - 2]), ARGV[i * 4 - 1], ARGV[i * 4]
  local other = standing[key]
  -- What is no outcome does not stand.
  if other and tonumber(string.match(other, '^(%d+)\\n') or '-1') >= run and other ~= value then
    answers[i] = other
  else
    -- The same value again is the same store again, its reply lost: nobody needs to be told twice, and nothing changes.
    if other ~= value then
      redis.call('SET', key, value, 'PX', ttl)
      redis.call('PUBLISH', channel, value)
      standing[key] = value
    end
    answers[i] = ''
  end
end
return answers`,
};
