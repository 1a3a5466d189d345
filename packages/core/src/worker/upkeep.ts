import type { Broker, Consumer, Delivery } from "../broker.ts";
import type { Logger } from "../logger.ts";
import type { Gate } from "./gate.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { Job } from "./job.ts";
import { keepLeases } from "./leases.ts";
import { tellBlocked } from "./report.ts";

export interface UpkeepParts {
  readonly queue: string;
  readonly broker: Broker;
  readonly consumer: Consumer;
  readonly gates: readonly Gate[];
  /** Milliseconds. */
  readonly lease: number;
  readonly logger: Logger;
}

/** What is kept up: what runs or waits, and what is taken and not settled. */
export interface Kept {
  readonly jobs: () => readonly Job[];
  readonly held: () => Iterable<Delivery>;
  readonly onLost: (delivery: Delivery) => void;
}

/** Keeps up what a queue holds, for as long as it lasts: the leases with its broker, and what its gates took. */
export function startUpkeep(
  { queue, broker, consumer, gates, lease, logger }: UpkeepParts,
  { jobs, held, onLost }: Kept,
): { readonly stop: () => void } {
  const heartbeat = startHeartbeat({
    gates,
    lease,
    jobs,
    onError: (error) => logger.warn({ error, queue }, "a heartbeat of running tasks failed"),
  });
  if (broker.capabilities.lease === "refused") return heartbeat;
  const leases = keepLeases({
    consumer,
    lease,
    held,
    onLost,
    onBlocked: (milliseconds) => tellBlocked(jobs(), { queue, milliseconds, logger }),
    onError: (error) => logger.warn({ error, queue }, "leases could not be renewed"),
  });
  return {
    stop: () => {
      heartbeat.stop();
      leases.stop();
    },
  };
}
