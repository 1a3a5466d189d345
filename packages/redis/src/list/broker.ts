import type { Broker } from "@taskferry/core";
import type { RedisQueueOptions } from "../options.ts";
import { QueueBroker } from "../queue/broker.ts";
import { queueScripts } from "../queue/scripts.ts";
import { listStorage } from "./storage.ts";

/** Each step of a queue in lists. */
export const listScripts = queueScripts(listStorage);

/**
 * A broker on Redis lists: at least once, to one worker, with leases, delays, priority bands and dead letters. Redis
 * 6.2 or later, Sentinel and Cluster. The README says what durability means there.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function redisList(options: RedisQueueOptions = {}): Broker {
  return new QueueBroker(options, { storage: listStorage, scripts: listScripts });
}
