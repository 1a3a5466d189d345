import type { Delivery } from "../broker.ts";
import type { Parked } from "./gate.ts";
import type { Ended, Job } from "./job.ts";

/** What parking needs of a lane. */
export interface ParkingLane {
  readonly free: number;
  park(delivery: Delivery): void;
  resume(delivery: Delivery): void;
}

/** Jobs that wait without a slot, and those that were let in after that and wait for one. */
export class Parking {
  readonly #lane: ParkingLane;
  readonly #finish: (job: Job, ended: Ended) => void;
  readonly #waits = new Map<Job, Parked>();

  constructor(lane: ParkingLane, finish: (job: Job, ended: Ended) => void) {
    this.#lane = lane;
    this.#finish = finish;
  }

  get isEmpty(): boolean {
    return this.#waits.size === 0;
  }

  park(job: Job, parked: Parked): void {
    this.#waits.set(job, parked);
    this.#lane.park(job.delivery);
    void parked
      .wait(() => this.#lane.free)
      .then((ended) => {
        if (this.#waits.get(job) !== parked) return;
        if (ended === undefined) {
          job.hasEntered = true;
          this.#lane.resume(job.delivery);
        } else {
          this.#waits.delete(job);
          this.#finish(job, ended);
        }
      });
  }

  /** Takes a job out because it starts, or must wait no longer. Whether it was in. */
  takeOut(job: Job): boolean {
    const parked = this.#waits.get(job);
    if (parked === undefined) return false;
    this.#waits.delete(job);
    if (!job.hasEntered) parked.withdraw();
    return true;
  }

  /** To be told of a job whose delivery was replaced. */
  follow(job: Job): void {
    if (!this.#waits.has(job)) return;
    this.#lane.park(job.delivery);
    if (job.hasEntered) this.#lane.resume(job.delivery);
  }
}
