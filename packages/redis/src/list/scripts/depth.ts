import type { Script } from "../../script.ts";
import { keyNames } from "../keys.ts";

/** Answers ready, delayed, running and dead. What is due counts as ready, though nobody has looked for it yet. */
export const depth: Script = {
  name: "taskferryListDepth",
  lua: `${keyNames}
local due = redis.call('ZCOUNT', delayed, '-inf', now)
local ended = redis.call('ZCOUNT', lease, '-inf', now)
return {
  redis.call('LLEN', ready[0]) + redis.call('LLEN', ready[1]) + redis.call('LLEN', ready[2]) + due + ended,
  redis.call('ZCARD', delayed) - due,
  redis.call('ZCARD', lease) - ended,
  redis.call('ZCARD', dead)
}`,
};
