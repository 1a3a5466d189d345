import type { Broker, Consumer, Delivery } from "../broker.ts";
import { AbortedError } from "../errors.ts";
import type { Emitter, WorkerEvent } from "../events.ts";
import type { Pauses } from "../pauses.ts";
import type { RunningTask, WorkerQueue } from "../presence.ts";
import type { ResultBackend } from "../result-backend.ts";
import { type Commitment, type CommitParts, commit } from "./commit.ts";
import { type DecodeParts, decode } from "./decode.ts";
import { createInputDiscarder, type DiscardParts } from "./discard-input.ts";
import type { Executor } from "./executor.ts";
import { endUnrun } from "./executors/aborts.ts";
import { type Admission, confirmAll, enterAll, type Gate, leaveAll, type Parked } from "./gate.ts";
import { type Ended, Job, type Unrunnable } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { Lane } from "./lane.ts";
import { Parking } from "./parking.ts";
import { firstSuspectDelivery } from "./quarantine.ts";
import { describeDelivery, isReadable, tell, tellExecuted, tellStarted } from "./report.ts";
import { Screening } from "./screening.ts";
import { settle } from "./settle.ts";
import { policyOf } from "./settle-policy.ts";
import { createSettler, type Settler } from "./settler.ts";
import { UnderWay } from "./under-way.ts";
import { startUpkeep } from "./upkeep.ts";

export interface ConveyorParts extends DiscardParts {
  readonly broker: Broker;
  readonly consumer: Consumer;
  readonly concurrency: number;
  readonly lease: number;
  /** Milliseconds for which looks, stores and settlements are repeated while a server is away. */
  readonly patience: number;
  /** Milliseconds that a handler has to end after its lease was lost. */
  readonly grace: number;
  readonly decoding: DecodeParts;
  readonly executor: Executor;
  /** Whether the executor keeps the slots of the queue, so that it may be handed more than run at once. */
  readonly sendsAhead: boolean;
  /** Asked in this order before each handler starts. */
  readonly gates: readonly Gate[];
  readonly pauses: Pauses;
  readonly committing: CommitParts;
  readonly results: ResultBackend | undefined;
  readonly emitter: Emitter<WorkerEvent>;
}

/** One queue from taking to settlement, station by station: receive, decode, execute, settle. */
export class Conveyor {
  readonly queue: string;
  readonly #parts: ConveyorParts;
  readonly #lane: Lane;
  readonly #settler: Settler;
  readonly #committing: CommitParts & { readonly settler: Settler };
  readonly #upkeep: { readonly stop: () => void };
  readonly #jobs = new Jobs();
  readonly #parking: Parking;
  readonly #screening: Screening;
  readonly #underWay = new UnderWay();
  readonly #discardInput: (delivery: Delivery) => void;
  #isPaused = false;
  #executed = 0;
  #failed = 0;
  #isStopping = false;
  #isClosed = false;

  constructor(parts: ConveyorParts) {
    const { consumer, concurrency, queue, patience, logger } = parts;
    const suspectFrom = firstSuspectDelivery(parts.decoding.maxDeliveries);
    this.queue = queue;
    this.#parts = parts;
    this.#lane = new Lane({
      consumer,
      concurrency,
      sendsAhead: parts.sendsAhead,
      isSuspect: ({ deliveryCount = 1 }) => deliveryCount >= suspectFrom,
      screen: (deliveries) => this.#screening.screen(deliveries),
      start: (delivery, onFree) => this.#start(delivery, onFree),
      release: (deliveries) => void this.#underWay.track(this.#release(deliveries)),
    });
    this.#screening = this.#createScreening(parts);
    this.#parking = new Parking(this.#lane, (job, ended) => this.#finish(job, ended));
    this.#settler = createSettler({
      consumer,
      limit: patience,
      isWanted: () => !this.#isClosed,
      onError: (error) => logger.warn({ error, queue }, "settlements could not be confirmed"),
    });
    this.#discardInput = createInputDiscarder(parts, this.#underWay);
    this.#committing = { ...parts.committing, settler: this.#settler };
    this.#upkeep = startUpkeep(parts, {
      jobs: () => this.#jobs.all,
      held: () => this.#lane.held,
      onLost: (delivery) => this.#onLost(delivery),
    });
    parts.pauses.onChange(queue, () => this.#applyPause());
    this.#applyPause();
  }

  get counts(): Omit<WorkerQueue, "queue" | "perSecond" | "failedPerSecond"> {
    return {
      concurrency: this.#parts.concurrency,
      running: this.#lane.running,
      buffered: this.#lane.buffered,
      isPaused: this.#lane.isPaused,
      executed: this.#executed,
      failed: this.#failed,
    };
  }

  get #startsNone(): boolean {
    return this.#isStopping || this.#lane.isPaused;
  }

  /** Those whose handlers run. */
  get runningTasks(): readonly RunningTask[] {
    return this.#jobs.running;
  }

  /** Takes deliveries until `stopTaking`, and rejects on what no retry mends. */
  run(): Promise<void> {
    return this.#lane.run();
  }

  /** Takes nothing while it is paused, and hands back what has not started. Answers whether it was otherwise before. */
  pause(isPaused: boolean): boolean {
    if (isPaused === this.#isPaused) return false;
    this.#isPaused = isPaused;
    this.#applyPause();
    return true;
  }

  /** Whoever runs the queues may pause one, and a middleware may: it goes on when both let go. */
  #applyPause(): void {
    const isPaused = this.#isPaused || this.#parts.pauses.has(this.queue);
    if (this.#lane.pause(isPaused) && isPaused) this.#parts.executor.recall(this.queue);
  }

  /** Takes no more and hands back what has not started. */
  async stopTaking(): Promise<void> {
    this.#isStopping = true;
    this.#parts.executor.stop();
    await this.#underWay.track(this.#release(await this.#lane.stop()));
  }

  /** Resolves when nothing runs and nothing waits to be settled. */
  idle(): Promise<void> {
    return this.#underWay.idle();
  }

  /** Aborts the signals of what runs. */
  abort(reason: AbortedError): void {
    for (const job of this.#jobs.all) job.abort(reason);
  }

  /** Ends what runs, whatever its handlers do. */
  abandon(): void {
    for (const job of this.#jobs.all) job.giveUp();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#upkeep.stop();
    await this.#settler.drain();
    await Promise.all(this.#parts.gates.map((gate) => gate.drain?.()));
    await this.#parts.consumer.close();
  }

  #createScreening({ broker, results, patience, emitter, logger }: ConveyorParts): Screening {
    return new Screening({
      broker,
      results,
      patience,
      isWanted: () => !this.#isStopping,
      held: this.#lane.held,
      jobs: this.#jobs,
      onAdopted: (job, replaced) => this.#parking.follow(job, replaced),
      drop: (delivery) => this.#drop(delivery),
      underWay: this.#underWay,
      release: (deliveries) => void this.#underWay.track(this.#release(deliveries)),
      finish: (repeated) => {
        this.#underWay.begin();
        this.#finish(repeated, repeated.ended);
      },
      emitter,
      logger,
    });
  }

  /** Ends a delivery that another one of the same message replaces. It is lost with its connection, or a second copy. */
  #drop(delivery: Delivery): void {
    this.#lane.forget(delivery);
    void this.#underWay.track(this.#settler.settle({ kind: "ack", delivery }));
  }

  #start(delivery: Delivery, onFree: () => void): void {
    const parked = this.#parking.takeOut(delivery);
    if (parked !== undefined) {
      parked.onFree = onFree;
      return this.#execute(parked);
    }
    this.#underWay.begin();
    const decoded = decode(delivery, this.#parts.decoding);
    if (decoded instanceof Promise) void decoded.then((later) => this.#proceed(later, onFree));
    else this.#proceed(decoded, onFree);
  }

  #proceed(decoded: Job | Unrunnable, onFree: () => void): void {
    if (decoded instanceof Job) {
      decoded.onFree = onFree;
      return this.#runJob(decoded);
    }
    this.#finish(decoded, decoded.ended);
    queueMicrotask(onFree);
  }

  #runJob(job: Job): void {
    this.#jobs.add(job);
    const entering = enterAll(this.#parts.gates, job);
    if (entering instanceof Promise) void entering.then((admission) => this.#admit(job, admission));
    else this.#admit(job, entering);
  }

  #admit(job: Job, admission: Admission): void {
    if (admission === undefined) {
      job.hasEntered = true;
      return this.#execute(job);
    }
    if (admission.kind === "parked") this.#park(job, admission);
    else this.#finish(job, admission);
    queueMicrotask(job.onFree);
  }

  #park(job: Job, parked: Parked): void {
    const over = endUnrun(job, this.#startsNone);
    if (over === undefined) return this.#parking.park(job, parked);
    parked.withdraw();
    this.#finish(job, over);
  }

  #execute(job: Job): void {
    if (job.options.acknowledge !== "received" || endUnrun(job, this.#startsNone) !== undefined) return this.#run(job);
    void this.#acknowledgeFirst(job).then((isOurs) => {
      if (isOurs) return this.#run(job);
      this.#underWay.end();
      job.onFree();
    });
  }

  #run(job: Job): void {
    const over = endUnrun(job, this.#startsNone && !job.isAcknowledged);
    if (over !== undefined) {
      this.#finish(job, over);
      return queueMicrotask(job.onFree);
    }
    const { executor, emitter, gates, sendsAhead, concurrency } = this.#parts;
    if (sendsAhead) job.slots = concurrency;
    job.startedAt = Date.now();
    if (emitter.isHeard) tellStarted(job, emitter);
    for (const gate of gates) gate.starting?.(job);
    executor.execute(job, this.#onExecuted);
  }

  /** The slot is free again; storing and settling go on by themselves. */
  readonly #onExecuted = (job: Job, ended: Ended): void => {
    const { emitter, gates } = this.#parts;
    this.#count(ended);
    for (const gate of gates) gate.executed?.(job);
    if (emitter.isHeard) tellExecuted(job, emitter);
    this.#finish(this.#neverRan(job, ended) ?? job, ended);
    job.onFree();
  };

  #count({ kind }: Ended): void {
    if (kind === "refused") return;
    this.#executed += 1;
    if (kind === "threw" || kind === "timedOut") this.#failed += 1;
  }

  /** What reads its input elsewhere learns there only that it cannot be run. */
  #neverRan(job: Job, ended: Ended): Unrunnable | undefined {
    if (ended.kind !== "refused" || job.isAcknowledged) return undefined;
    this.#forget(job);
    return { delivery: job.delivery, id: job.message.id, ended };
  }

  async #acknowledgeFirst(job: Job): Promise<boolean> {
    job.isAcknowledged = (await this.#settler.settle({ kind: "ack", delivery: job.delivery })) === "settled";
    this.#lane.forget(job.delivery);
    if (!job.isAcknowledged) this.#forget(job);
    return job.isAcknowledged;
  }

  #finish(subject: Job | Unrunnable, ended: Ended): void {
    const confirming = subject instanceof Job ? confirmAll(this.#parts.gates, subject) : undefined;
    if (confirming === undefined) this.#commit(subject, ended);
    else void confirming.then((otherwise) => this.#commit(subject, otherwise ?? ended));
  }

  #commit(subject: Job | Unrunnable, ended: Ended): void {
    const verdict = settle(ended, policyOf(subject));
    commit({ subject, verdict }, this.#committing, (commitment) => this.#conclude(subject, ended, commitment));
  }

  #conclude(subject: Job | Unrunnable, ended: Ended, { committed, verdict }: Commitment): void {
    const { emitter, logger, gates } = this.#parts;
    if (committed === "settled" && verdict.then.kind === "ack") this.#discardInput(subject.delivery);
    this.#lane.forget(subject.delivery);
    if (subject instanceof Job) {
      if (committed === "settled") for (const gate of gates) gate.ended?.(subject, ended, verdict);
      this.#forget(subject);
    }
    tell({ subject, verdict, committed, emitter, logger });
    this.#underWay.end();
  }

  #forget(job: Job): void {
    this.#jobs.remove(job);
    if (job.hasEntered) leaveAll(this.#parts.gates, job);
  }

  async #release(deliveries: readonly Delivery[]): Promise<void> {
    const releaseOne = async (delivery: Delivery): Promise<void> => {
      const parked = this.#parking.takeOut(delivery);
      if (parked !== undefined) {
        this.#forget(parked);
        this.#underWay.end();
      }
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
    const job = this.#jobs.of(delivery);
    if (job === undefined) return;
    job.abort(
      new AbortedError("LEASE_LOST", `The lease of task ${job.message.id} was lost: another worker may run it now.`),
    );
    // The process may end before: nothing is lost then, since nothing of this job counts any more.
    setTimeout(() => job.giveUp(), this.#parts.grace).unref();
    if (this.#parking.takeOut(delivery) !== undefined) this.#finish(job, { kind: "leaseLost" });
  }
}
