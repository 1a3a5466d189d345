import { setTimeout as wait } from "node:timers/promises";
import { CrashError } from "../../errors.ts";
import type { Ended, Job } from "../job.ts";
import { Member, type MemberParts } from "./member.ts";
import { createRestartPause, type RestartPause } from "./restart-pause.ts";
import type { RunListeners, Site, SiteRun } from "./site.ts";

export interface PoolParts extends MemberParts {
  /** Threads or processes at most. */
  readonly size: number;
  /** Tasks after which each is replaced; `undefined`: never. */
  readonly maxTasks: number | undefined;
}

/** Milliseconds that what was killed may take to end, before nobody waits for it any more. */
const killLimit = 1_000;

interface Seat {
  readonly member: Member;
  order: Order | undefined;
  served: number;
}

interface Order {
  readonly job: Job;
  readonly listeners: RunListeners;
  seat: Seat | undefined;
  hasStarted: boolean;
  isOver: boolean;
}

/** Threads or processes that run one task each at a time, so that whatever becomes of one is its own task's doing. */
export class Pool implements Site {
  readonly #parts: PoolParts;
  readonly #seats = new Set<Seat>();
  readonly #pause: RestartPause = createRestartPause();
  #waiting: Order[] = [];
  #isStopping = false;

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  get memory(): number {
    return [...this.#seats].reduce((sum, { member }) => sum + member.memory, 0);
  }

  run(job: Job, listeners: RunListeners): SiteRun {
    const order: Order = { job, listeners, seat: undefined, hasStarted: false, isOver: false };
    this.#waiting.push(order);
    // What aborts before it runs need not wait for its turn.
    job.carrier = { carryAbort: () => this.#endUnstarted(order) };
    if (this.#isStopping) this.#endUnstarted(order);
    this.#fill();
    return { giveUp: () => this.#giveUp(order) };
  }

  recall(queue: string): void {
    // What came last goes first, so that the front of the queue keeps its order.
    for (const order of [...this.#orders(), ...this.#waiting].toReversed())
      if (order.job.message.queue === queue && !order.job.isAcknowledged) this.#endUnstarted(order);
  }

  stop(): void {
    this.#isStopping = true;
    for (const order of [...this.#waiting, ...this.#orders()]) this.#endUnstarted(order);
  }

  async close(): Promise<void> {
    this.stop();
    const seats = [...this.#seats];
    this.#seats.clear();
    await Promise.all(seats.map(({ member, order }) => (order?.hasStarted ? member.kill() : member.leave())));
  }

  #orders(): readonly Order[] {
    return [...this.#seats].flatMap(({ order }) => order ?? []);
  }

  #fill(): void {
    while (this.#waiting.length > 0) {
      const seat = [...this.#seats].find(({ order }) => order === undefined) ?? this.#openSeat();
      if (seat === undefined) return;
      const order = this.#waiting.shift() as Order;
      seat.order = order;
      order.seat = seat;
      void this.#serve(seat, order);
    }
  }

  #openSeat(): Seat | undefined {
    if (this.#seats.size >= this.#parts.size || this.#isStopping) return undefined;
    if (!this.#pause.isOver(() => this.#fill())) return undefined;
    const seat: Seat = { member: new Member(this.#parts), order: undefined, served: 0 };
    this.#seats.add(seat);
    void seat.member.ended.then(({ why, error }) => {
      if (!this.#seats.delete(seat)) return;
      this.#pause.fail();
      if (seat.order !== undefined) this.#end(seat.order, crashed(seat, why, error));
      this.#fill();
    });
    return seat;
  }

  async #serve(seat: Seat, order: Order): Promise<void> {
    try {
      await seat.member.ready;
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#end(order, crashed(seat, `could not start: ${why}`, cause));
      // It has nothing to do any more; its end opens the seat again.
      void seat.member.kill();
      return;
    }
    if (order.isOver) return this.#free(seat);
    order.hasStarted = true;
    order.listeners.onStart();
    const { member } = seat;
    const onEnded = (ended: Ended): void => {
      this.#pause.succeed();
      this.#end(order, ended);
      this.#free(seat);
    };
    const run = member.run({ job: order.job, onEnded });
    order.job.carrier = { carryAbort: (reason) => member.abort(run, reason) };
  }

  #free(seat: Seat): void {
    seat.order = undefined;
    seat.served += 1;
    if (seat.served >= (this.#parts.maxTasks ?? Number.POSITIVE_INFINITY)) {
      this.#seats.delete(seat);
      void seat.member.leave();
    }
    this.#fill();
  }

  #endUnstarted(order: Order): void {
    if (order.hasStarted || order.isOver) return;
    this.#waiting = this.#waiting.filter((other) => other !== order);
    this.#end(order, { kind: "stopping" });
  }

  #end(order: Order, ended: Ended): void {
    if (order.isOver) return;
    order.isOver = true;
    order.job.carrier = undefined;
    order.listeners.onEnd(ended, 0);
  }

  async #giveUp(order: Order): Promise<void> {
    this.#waiting = this.#waiting.filter((other) => other !== order);
    if (order.isOver) return;
    order.isOver = true;
    const { seat, job } = order;
    job.carrier = undefined;
    if (seat === undefined || !order.hasStarted) return;
    this.#seats.delete(seat);
    const isDead = await Promise.race([seat.member.kill().then(() => true), wait(killLimit, false, { ref: false })]);
    if (!isDead) this.#parts.reporter.onAbandoned(job);
    this.#fill();
  }
}

function crashed({ member }: Seat, why: string, cause: unknown): Ended {
  return {
    kind: "threw",
    error: new CrashError(`The ${member.name} that ran the handler ${why}.`, cause === undefined ? {} : { cause }),
    isFinal: false,
  };
}
