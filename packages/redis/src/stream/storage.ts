import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { composeScript } from "../queue/compose-script.ts";
import { keyNames } from "../queue/keys.ts";
import { surroundings } from "../queue/scripts/surroundings.ts";
import type { QueueStorage } from "../queue/storage.ts";
import { entries, group } from "./lua/entries.ts";
import { looking } from "./lua/looking.ts";
import { taking } from "./lua/taking.ts";

const place = {
  prefix: "stream:",
  names: {
    stream_high: "2",
    stream_middle: "1",
    stream_low: "0",
    returned_high: "returned:2",
    returned_middle: "returned:1",
    returned_low: "returned:0",
    entry: "entry",
    delayed_message: "delayed:message",
  },
} as const;

const common = { keyNames: keyNames(place), shared: [surroundings, entries, taking].join("") };

/** ARGV: consumer, longest idle time. Makes the groups, and forgets consumers of others that are gone. */
export const enrol = composeScript({
  ...common,
  name: "taskferry-redis-stream-enrol",
  body: `
begin_to_write()
for value = 0, 2 do
  local made = redis.pcall('XGROUP', 'CREATE', stream[value], '${group}', '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then error(made.err) end
  for _, one in ipairs(redis.call('XINFO', 'CONSUMERS', stream[value], '${group}')) do
    local facts = {}
    for i = 1, #one, 2 do facts[one[i]] = one[i + 1] end
    if facts.pending == 0 and facts.idle >= tonumber(ARGV[2]) and facts.name ~= ARGV[1] then
      redis.call('XGROUP', 'DELCONSUMER', stream[value], '${group}', facts.name)
    end
  end
end`,
});

/** ARGV: consumer. Forgets it, unless it still holds something: that goes to others when its lease ends. */
const leave = composeScript({
  ...common,
  name: "taskferry-redis-stream-leave",
  body: `
for value = 0, 2 do
  local pending = redis.pcall('XPENDING', stream[value], '${group}', '-', '+', 1, ARGV[1])
  if not pending.err and #pending == 0 then redis.call('XGROUP', 'DELCONSUMER', stream[value], '${group}', ARGV[1]) end
end`,
});

export const streamStorage = {
  ...place,
  name: "redis-stream",
  lua: `${entries}${taking}${looking}`,
  position: /^\d+(?:-\d+)?$/,
  enrol,
  leave,
  // An operator sees who holds what; the end makes it new in each process, and for each consumer of it.
  nameConsumer: () => `${hostname().replaceAll(/\s/g, "-")}-${process.pid}-${randomBytes(6).toString("base64url")}`,
} satisfies QueueStorage;
