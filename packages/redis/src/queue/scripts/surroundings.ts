/** The time, in milliseconds, and what each script may want to know of its call. */
export const surroundings = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taker
-- A write that needs no memory: a script that has begun to write may go on when Redis is full. No id is "".
local function begin_to_write() redis.call('HDEL', latest, '') end
`;
