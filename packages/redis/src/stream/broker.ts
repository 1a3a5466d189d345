import type { Broker } from "@taskferry/core";
import type { RedisQueueOptions } from "../options.ts";
import { QueueBroker } from "../queue/broker.ts";
import { queueScripts } from "../queue/scripts.ts";
import { streamStorage } from "./storage.ts";

/** Each step of a queue in streams. */
export const streamScripts = queueScripts(streamStorage);

/**
 * A broker on Redis streams and a consumer group: at least once, to one worker, with leases, delays, priority bands and
 * dead letters, as `redisList`; what waits and who holds what can be seen with the commands for streams. Redis 6.2 or
 * later, Sentinel and Cluster. The README says what durability means there.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function redisStream(options: RedisQueueOptions = {}): Broker {
  return new QueueBroker(options, { storage: streamStorage, scripts: streamScripts });
}
