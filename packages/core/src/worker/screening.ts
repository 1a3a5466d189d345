import type { Broker, Delivery } from "../broker.ts";
import type { Emitter, WorkerEvent } from "../events.ts";
import type { Logger } from "../logger.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { TurnoverSet } from "../turnover.ts";
import { type Job, runKey, type Unrunnable } from "./job.ts";
import type { Jobs } from "./jobs.ts";
import { findOutcomes } from "./redelivery.ts";
import { describeDelivery, isReadable, tellReceived } from "./report.ts";
import type { UnderWay } from "./under-way.ts";

export interface ScreeningParts {
  readonly broker: Broker;
  readonly results: ResultBackend | undefined;
  /** Milliseconds for which a look for outcomes is repeated. */
  readonly patience: number;
  readonly isWanted: () => boolean;
  /** All that is taken and not settled. */
  readonly held: TurnoverSet<Delivery>;
  readonly jobs: Jobs;
  readonly underWay: UnderWay;
  /** Told of a job that goes on under a new delivery. */
  readonly onAdopted: (job: Job, replaced: Delivery) => void;
  /** Ends a delivery that another one of the same message replaces. */
  readonly drop: (delivery: Delivery) => void;
  readonly release: (deliveries: readonly Delivery[]) => void;
  /** Told of a delivery whose task has ended before. */
  readonly finish: (repeated: Unrunnable) => void;
  readonly emitter: Emitter<WorkerEvent>;
  readonly logger: Logger;
}

/** Looks at what came in, and lets through what is to run: what comes again may run here, or have ended. */
export class Screening {
  readonly #parts: ScreeningParts;

  constructor(parts: ScreeningParts) {
    this.#parts = parts;
  }

  /** A promise only where something has come again. */
  screen(deliveries: readonly Delivery[]): readonly Delivery[] | Promise<readonly Delivery[]> {
    tellReceived(deliveries, this.#parts.emitter);
    return deliveries.every(({ deliveryCount }) => deliveryCount === 1)
      ? deliveries
      : this.#parts.underWay.track(this.#screenRedeliveries(deliveries));
  }

  async #screenRedeliveries(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const { broker, results, patience, isWanted, logger, release, finish } = this.#parts;
    const fresh = deliveries.filter((delivery) => !this.#adopt(delivery));
    const canComeAgain = broker.capabilities.redelivery !== "refused";
    const { finished, unclear } = await findOutcomes(fresh, {
      results: canComeAgain ? results : undefined,
      limit: patience,
      isWanted,
      logger,
    });
    if (unclear.length > 0) release(unclear);
    for (const [delivery, outcome] of finished)
      finish({ delivery, id: outcome.id, ended: { kind: "repeated", outcome } });
    return fresh.filter((delivery) => !finished.has(delivery) && !unclear.includes(delivery));
  }

  /** Without leases, a lost connection redelivers what still runs here: the execution goes on under the new delivery. */
  #adopt(delivery: Delivery): boolean {
    const { broker, held, jobs, onAdopted, drop, emitter } = this.#parts;
    const { lease, redelivery } = broker.capabilities;
    // Where nothing comes again, what looks the same is another message.
    if (!isReadable(delivery) || lease !== "refused" || redelivery === "refused") return false;
    // Another copy that came with it has replaced it already.
    if (!held.has(delivery)) return true;
    const key = runKey(delivery.message);
    const job = jobs.get(key);
    if (job === undefined) {
      // What came over the lost connection and has not started need not: here it is again.
      for (const one of held) if (one !== delivery && isReadable(one) && runKey(one.message) === key) drop(one);
      return false;
    }
    const { delivery: old } = job;
    job.delivery = delivery;
    drop(old);
    onAdopted(job, old);
    emitter.emit(() => ({ type: "task.adopted", ...describeDelivery(delivery) }));
    return true;
  }
}
