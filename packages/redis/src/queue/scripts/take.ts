/** When the first of a set is due; what is known of it is not asked again. */
const looks = `
local first = {}
local function look_at(set)
  first[set] = tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2])
end
`;

/** Moves due delayed messages to the back, and messages whose lease has ended to the front, of their band. */
const promote = `
local function promote()
  if first[delayed] and first[delayed] <= now then
    local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, 500)
    redis.call('ZREM', delayed, unpack(due))
    ripen(due)
    look_at(delayed)
  end
  if first[lease] and first[lease] <= now then
    local ended = redis.call('ZRANGEBYSCORE', lease, '-inf', now, 'LIMIT', 0, 500)
    redis.call('ZREM', lease, unpack(ended))
    disown(ended)
    for i = #ended, 1, -1 do
      redis.call('HINCRBY', count, ended[i], 1)
      hand_back(ended[i])
    end
    look_at(lease)
  end
end
`;

/** Takes at most so many messages: those of higher bands first, yet one in eight, counted over all takes, from a lower one that waits. */
const choose = `
local function choose(max)
  local keys = {}
  if not waits_beside() then
    if waits(1) then pop(1, max, keys) end
    return keys
  end
  local low, middle, high = waits(0), waits(1), waits(2)
  local lower, round = 0, 0
  if high and (middle or low) or middle and low then
    begin_to_write()
    local before = redis.call('INCRBY', turn, max) - max
    round = math.floor((before + max) / 8)
    lower = round - math.floor(before / 8)
  end
  local function fill(value, number)
    if number > 0 then pop(value, number, keys) end
  end
  if high then
    fill(2, max - lower)
    -- The two lower bands take turns.
    fill((not middle or low and round % 2 == 0) and 0 or 1, lower)
  else
    fill(1, max - lower)
    fill(0, lower)
  end
  for value = 2, 0, -1 do fill(value, max - #keys) end
  return keys
end
`;

/**
 * KEYS: one more, for the number of the consumer's last request that got something. ARGV: max, lease, consumer, number of
 * the request, window, 1 if the request may get nothing more after this. Answers packed keys and bytes of what it handed
 * out, former deliveries of each unless there were none, the milliseconds until something can become ready by itself (-1:
 * nothing; 0: more is ready now), and the time. The same request again gets the same messages, each with a whole lease: its
 * first reply may have been lost, and it may come when that lease is nearly over. A request that arrives when a later one
 * has been answered, from a connection given up since, gets nothing.
 */
export const take = `${looks}${promote}${choose}
local request = KEYS[#KEYS]
local token = ARGV[3] .. ' ' .. ARGV[4]
local keys = {}
local deadline = now + tonumber(ARGV[2])
-- As text: Redis would write out the same number for each message, digit by digit.
local written = string.format('%d', deadline)
local max, asked, is_last = tonumber(ARGV[1]), tonumber(ARGV[4]), ARGV[6] == '1'
local answered = tonumber(redis.call('GET', request) or '0')
taker = ARGV[3]
look_at(delayed)
look_at(lease)
if is_last or asked <= answered then begin_to_write() end
if asked == answered then
  local from = 0
  repeat
    local all = redis.call('ZRANGE', lease, from, from + 999)
    local owners = #all > 0 and owners_of(all)
    for i, key in ipairs(all) do
      if owners[i] == token then keys[#keys + 1] = key end
    end
    from = from + #all
  until #all == 0
  for _, key in ipairs(keys) do redis.call('ZADD', lease, written, key) end
  look_at(lease)
elseif asked > answered then
  promote()
  if max > 0 then keys = choose(max) end
  if #keys > 0 then
    local leases = {}
    for i = 1, #keys do leases[i * 2 - 1], leases[i * 2] = written, keys[i] end
    redis.call('ZADD', lease, unpack(leases))
    own(keys, token)
    first[lease] = math.min(first[lease] or deadline, deadline)
  end
  if #keys > 0 or is_last then
    -- It is of use for as long as a request may come again; a consumer that is gone leaves nothing for ever.
    redis.call('SET', request, ARGV[4], 'PX', ARGV[2] + 60000)
  end
end
if #keys == 0 then rotate(tonumber(ARGV[5])) end
local next = 0
if waits_at_all() then
  wake()
else
  local soonest = math.min(first[delayed] or math.huge, first[lease] or math.huge)
  next = soonest == math.huge and -1 or math.max(1, soonest - now)
end
if #keys == 0 then return { '', keys, next, now } end
local bytes = frames(keys)
local items = {}
for i = 1, #keys do items[i * 2 - 1], items[i * 2] = keys[i], bytes[i] or '' end
local counts, again = {}, false
if redis.call('EXISTS', count) == 1 then
  for i, former in ipairs(redis.call('HMGET', count, unpack(keys))) do
    counts[i] = tonumber(former or '0')
    again = again or counts[i] > 0
  end
end
return { cmsgpack.pack(items), again and counts or {}, next, now }`;
