/** ARGV: lease, then key and token of each. Answers a digit for each: 1 renewed, 0 lost. */
export const extend = `
local keys = {}
for i = 2, #ARGV, 2 do keys[#keys + 1] = ARGV[i] end
begin_to_write()
local owners = owners_of(keys)
local leases, answers = {}, {}
for i, key in ipairs(keys) do
  answers[i] = owners[i] == ARGV[i * 2 + 1] and 1 or 0
  if answers[i] == 1 then
    leases[#leases + 1] = now + tonumber(ARGV[1])
    leases[#leases + 1] = key
  end
end
if #leases > 0 then redis.call('ZADD', lease, 'XX', unpack(leases)) end
return answers`;
