/**
 * ARGV: section, then keys that may be meant. Answers the first of them that is in the section: its key, its score ("" for
 * what is ready), its bytes and, for a dead letter, its reason; nothing for none.
 */
export const read = `
local section = ARGV[1]
for i = 2, #ARGV do
  local key = ARGV[i]
  if section == 'dead' then
    local score = redis.call('ZSCORE', dead, key)
    if score then
      return { key, score, redis.call('HGET', dead_message, key), redis.call('HGET', dead_reason, key) }
    end
  else
    local due, ends = redis.call('ZSCORE', delayed, key), redis.call('ZSCORE', lease, key)
    local score = ({ delayed = due, running = ends, ready = not due and not ends and held({ key })[1] and '' })[section]
    if score then return { key, score, frames({ key })[1], '' } end
  end
end
return {}`;
