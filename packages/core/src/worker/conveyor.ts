import type { Broker, Consumer, Delivery } from "../broker.ts";
import { AbortedError } from "../errors.ts";
import type { Emitter, WorkerEvent } from "../events.ts";
import type { Logger } from "../logger.ts";
import type { ResultBackend } from "../result-backend.ts";
import { type CommitParts, commit } from "./commit.ts";
import { type DecodeParts, decode } from "./decode.ts";
import type { Executor } from "./executor.ts";
import { enterAll, type Gate, leaveAll } from "./gate.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { type Ended, Job, runKey, type Unrunnable } from "./job.ts";
import { Lane } from "./lane.ts";
import { keepLeases } from "./leases.ts";
import { findOutcomes } from "./redelivery.ts";
import { describeDelivery, isReadable, tell, tellExecuted, tellReceived } from "./report.ts";
import { type SettlePolicy, settle } from "./settle.ts";
import { createSettler, type Settler } from "./settler.ts";

export interface ConveyorParts {
  readonly broker: Broker;
  readonly consumer: Consumer;
  readonly queue: string;
  readonly concurrency: number;
  readonly lease: number;
  /** Milliseconds for which looks, stores and settlements are repeated while a server is away. */
  readonly patience: number;
  /** Milliseconds that a handler has to end after its lease was lost. */
  readonly grace: number;
  readonly decoding: DecodeParts;
  readonly executor: Executor;
  /** Asked in this order before each handler starts. */
  readonly gates: readonly Gate[];
  readonly committing: CommitParts;
  readonly results: ResultBackend | undefined;
  readonly emitter: Emitter<WorkerEvent>;
  readonly logger: Logger;
}

/** One queue from taking to settlement, station by station: receive, decode, execute, settle. */
export class Conveyor {
  readonly queue: string;
  readonly #parts: ConveyorParts;
  readonly #lane: Lane;
  readonly #settler: Settler;
  readonly #committing: CommitParts & { readonly settler: Settler };
  readonly #leases: { readonly stop: () => void } | undefined;
  readonly #heartbeat: { readonly stop: () => void };
  /** What runs or waits to be settled, by id and run. */
  readonly #jobs = new Map<string, Job>();
  #underWay = 0;
  #idleWaiters: (() => void)[] = [];
  #isStopping = false;
  #isClosed = false;

  constructor(parts: ConveyorParts) {
    const { consumer, concurrency, queue, lease, patience, broker, logger } = parts;
    const suspectFrom = firstSuspectDelivery(parts.decoding.maxDeliveries);
    this.queue = queue;
    this.#parts = parts;
    this.#lane = new Lane({
      consumer,
      concurrency,
      isSuspect: ({ deliveryCount = 1 }) => deliveryCount >= suspectFrom,
      screen: (deliveries) => this.#screen(deliveries),
      start: (delivery) => this.#start(delivery),
      release: (deliveries) => void this.#track(this.#release(deliveries)),
    });
    this.#settler = createSettler({
      consumer,
      limit: patience,
      isWanted: () => !this.#isClosed,
      onError: (error) => logger.warn({ error, queue }, "settlements could not be confirmed"),
    });
    this.#committing = { ...parts.committing, settler: this.#settler };
    this.#heartbeat = startHeartbeat({
      gates: parts.gates,
      lease,
      jobs: () => [...this.#jobs.values()],
      onError: (error) => logger.warn({ error, queue }, "a heartbeat of running tasks failed"),
    });
    if (broker.capabilities.lease !== "refused") {
      this.#leases = keepLeases({
        consumer,
        lease,
        held: () => this.#lane.held,
        onLost: (delivery) => this.#onLost(delivery),
        onBlocked: (milliseconds) => this.#onBlocked(milliseconds),
        onError: (error) => logger.warn({ error, queue }, "leases could not be renewed"),
      });
    }
  }

  get counts(): { readonly running: number; readonly buffered: number } {
    return { running: this.#lane.running, buffered: this.#lane.buffered };
  }

  /** Takes deliveries until `stopTaking`, and rejects on what no retry mends. */
  run(): Promise<void> {
    return this.#lane.run();
  }

  /** Takes no more and hands back what has not started. */
  async stopTaking(): Promise<void> {
    this.#isStopping = true;
    this.#parts.executor.stop();
    await this.#track(this.#release(await this.#lane.stop()));
  }

  /** Resolves when nothing runs and nothing waits to be settled. */
  idle(): Promise<void> {
    return this.#underWay === 0 ? Promise.resolve() : new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Aborts the signals of what runs. */
  abort(reason: AbortedError): void {
    for (const job of this.#jobs.values()) job.abort(reason);
  }

  /** Ends what runs, whatever its handlers do. */
  abandon(): void {
    for (const job of this.#jobs.values()) job.giveUp?.();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#leases?.stop();
    this.#heartbeat.stop();
    await this.#settler.drain();
    await this.#parts.consumer.close();
  }

  #screen(deliveries: readonly Delivery[]): readonly Delivery[] | Promise<readonly Delivery[]> {
    tellReceived(deliveries, this.#parts.emitter);
    return deliveries.every(({ deliveryCount }) => deliveryCount === 1)
      ? deliveries
      : this.#track(this.#screenRedeliveries(deliveries));
  }

  async #screenRedeliveries(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const { broker, results, patience, logger } = this.#parts;
    const fresh = deliveries.filter((delivery) => !this.#adopt(delivery));
    const canComeAgain = broker.capabilities.redelivery !== "refused";
    const { finished, unclear } = await findOutcomes(fresh, {
      results: canComeAgain ? results : undefined,
      limit: patience,
      isWanted: () => !this.#isStopping,
      logger,
    });
    if (unclear.length > 0) void this.#track(this.#release(unclear));
    for (const [delivery, outcome] of finished) {
      const ended = { kind: "repeated", outcome } as const;
      this.#underWay += 1;
      void this.#finish({ delivery, id: outcome.id, ended }, ended);
    }
    return fresh.filter((delivery) => !finished.has(delivery) && !unclear.includes(delivery));
  }

  /** Without leases, a lost connection redelivers what still runs here: the execution goes on under the new delivery. */
  #adopt(delivery: Delivery): boolean {
    if (!isReadable(delivery) || this.#parts.broker.capabilities.lease !== "refused") return false;
    // Another copy that came with it has replaced it already.
    if (!this.#lane.held.has(delivery)) return true;
    const key = runKey(delivery.message);
    const job = this.#jobs.get(key);
    if (job === undefined) {
      // What came over the lost connection and has not started need not: here it is again.
      for (const held of this.#lane.held)
        if (held !== delivery && isReadable(held) && runKey(held.message) === key) this.#drop(held);
      return false;
    }
    const { delivery: old } = job;
    job.delivery = delivery;
    this.#drop(old);
    this.#parts.emitter.emit(() => ({ type: "task.adopted", ...describeDelivery(delivery) }));
    return true;
  }

  /** Ends a delivery that another one of the same message replaces. It is lost with its connection, or a second copy. */
  #drop(delivery: Delivery): void {
    this.#lane.forget(delivery);
    void this.#track(this.#settler.settle({ kind: "ack", delivery }));
  }

  #start(delivery: Delivery): Promise<void> {
    this.#underWay += 1;
    const decoded = decode(delivery, this.#parts.decoding);
    return decoded instanceof Promise ? decoded.then((later) => this.#proceed(later)) : this.#proceed(decoded);
  }

  #proceed(decoded: Job | Unrunnable): Promise<void> {
    if (decoded instanceof Job) return this.#runJob(decoded);
    void this.#finish(decoded, decoded.ended);
    return Promise.resolve();
  }

  async #runJob(job: Job): Promise<void> {
    const { executor, emitter, gates } = this.#parts;
    this.#jobs.set(job.key, job);
    const entering = enterAll(gates, job);
    const refusal = entering instanceof Promise ? await entering : entering;
    if (refusal !== undefined) {
      void this.#finish(job, refusal);
      return;
    }
    job.hasEntered = true;
    if (job.options.acknowledge === "received" && !(await this.#acknowledgeFirst(job))) {
      this.#end();
      return;
    }
    job.startedAt = Date.now();
    if (emitter.isHeard) emitter.emit(() => ({ type: "task.started", ...describeDelivery(job.delivery) }));
    const ended = await executor.execute(job);
    if (emitter.isHeard) tellExecuted(job, emitter);
    // The slot is free again; storing and settling go on by themselves.
    void this.#finish(this.#neverRan(job, ended) ?? job, ended);
  }

  /** What reads its input elsewhere learns there only that it cannot be run. */
  #neverRan(job: Job, ended: Ended): Unrunnable | undefined {
    if (ended.kind !== "refused" || job.isAcknowledged) return undefined;
    this.#forget(job);
    return { delivery: job.delivery, id: job.message.id, ended };
  }

  async #acknowledgeFirst(job: Job): Promise<boolean> {
    const result = await this.#settler.settle({ kind: "ack", delivery: job.delivery });
    this.#lane.forget(job.delivery);
    job.isAcknowledged = result === "settled";
    if (!job.isAcknowledged) this.#forget(job);
    return job.isAcknowledged;
  }

  async #finish(subject: Job | Unrunnable, ended: Ended): Promise<void> {
    const { emitter, logger } = this.#parts;
    const { committed, verdict } = await commit(subject, settle(ended, policyOf(subject)), this.#committing);
    this.#lane.forget(subject.delivery);
    if (subject instanceof Job) {
      if (committed === "settled") for (const gate of this.#parts.gates) gate.ended?.(subject, ended);
      this.#forget(subject);
    }
    tell({ subject, verdict, committed, emitter, logger });
    this.#end();
  }

  #forget(job: Job): void {
    if (this.#jobs.get(job.key) === job) this.#jobs.delete(job.key);
    if (job.hasEntered) leaveAll(this.#parts.gates, job);
  }

  async #release(deliveries: readonly Delivery[]): Promise<void> {
    const releaseOne = async (delivery: Delivery): Promise<void> => {
      const result = await this.#settler.settle({ kind: "release", delivery });
      this.#lane.forget(delivery);
      if (result === "settled" && isReadable(delivery))
        this.#parts.emitter.emit(() => ({ type: "task.released", ...describeDelivery(delivery) }));
    };
    // The last taken goes first, so that the front of the queue keeps its order.
    await Promise.all(deliveries.toReversed().map(releaseOne));
  }

  #onLost(delivery: Delivery): void {
    this.#lane.forget(delivery);
    const job = isReadable(delivery) ? this.#jobs.get(runKey(delivery.message)) : undefined;
    if (job === undefined || job.delivery !== delivery) return;
    job.abort(
      new AbortedError("LEASE_LOST", `The lease of task ${job.message.id} was lost: another worker may run it now.`),
    );
    // The process may end before: nothing is lost then, since nothing of this job counts any more.
    setTimeout(() => job.giveUp?.(), this.#parts.grace).unref();
  }

  #onBlocked(milliseconds: number): void {
    const tasks = [...new Set([...this.#jobs.values()].map(({ message }) => message.task))];
    this.#parts.logger.warn(
      { queue: this.queue, milliseconds, tasks },
      "the event loop was blocked: leases could not be renewed in time. Move blocking work out of the worker's event loop, or lengthen `lease`",
    );
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await work;
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }
}

/** From which delivery on a message is suspected to kill its worker: two have had it before and did not settle it. */
function firstSuspectDelivery(maxDeliveries: number): number {
  return Math.max(2, Math.min(3, maxDeliveries));
}

function policyOf(subject: Job | Unrunnable): SettlePolicy {
  if (!(subject instanceof Job)) {
    return {
      attempt: subject.delivery.message?.attempt ?? 0,
      attempts: 0,
      backoff: { from: 0, to: 0 },
      isAcknowledged: false,
    };
  }
  const { message, options, isAcknowledged } = subject;
  return { attempt: message.attempt, attempts: options.retry.attempts, backoff: options.retry.backoff, isAcknowledged };
}
