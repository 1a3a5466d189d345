import type { Script } from "../script.ts";

/** ARGV: packed channel and bytes of each message. Answers how many received each, at this node. */
export const publish: Script = {
  name: "taskferry-redis-pubsub-publish",
  lua: `
local items = cmsgpack.unpack(ARGV[1])
local counts = {}
for i = 1, #items, 2 do counts[#counts + 1] = redis.call('PUBLISH', items[i], items[i + 1]) end
return counts`,
};
