import type { Delivery } from "../broker.ts";
import type { Parked } from "./gate.ts";
import type { Ended, Job } from "./job.ts";

/** What parking needs of a lane. */
export interface ParkingLane {
  readonly free: number;
  park(delivery: Delivery): void;
  resume(delivery: Delivery): void;
}

interface Wait {
  readonly job: Job;
  readonly parked: Parked;
}

/** Jobs that wait without a slot, and those that were let in after that and wait for one. */
export class Parking {
  readonly #lane: ParkingLane;
  readonly #finish: (job: Job, ended: Ended) => void;
  readonly #waits = new Map<Delivery, Wait>();

  constructor(lane: ParkingLane, finish: (job: Job, ended: Ended) => void) {
    this.#lane = lane;
    this.#finish = finish;
  }

  park(job: Job, parked: Parked): void {
    const wait: Wait = { job, parked };
    this.#waits.set(job.delivery, wait);
    this.#lane.park(job.delivery);
    void parked
      .wait(() => this.#lane.free)
      .then((ended) => {
        if (this.#waits.get(job.delivery) !== wait) return;
        if (ended === undefined) {
          job.hasEntered = true;
          this.#lane.resume(job.delivery);
        } else {
          this.#waits.delete(job.delivery);
          this.#finish(job, ended);
        }
      });
  }

  /** Takes out the job of a delivery because it starts, or must wait no longer. `undefined`: it was not in. */
  takeOut(delivery: Delivery): Job | undefined {
    const wait = this.#waits.get(delivery);
    if (wait === undefined) return undefined;
    this.#waits.delete(delivery);
    if (!wait.job.hasEntered) wait.parked.withdraw();
    return wait.job;
  }

  /** To be told of a job whose delivery was replaced. */
  follow(job: Job, replaced: Delivery): void {
    const wait = this.#waits.get(replaced);
    if (wait === undefined) return;
    this.#waits.delete(replaced);
    this.#waits.set(job.delivery, wait);
    this.#lane.park(job.delivery);
    if (job.hasEntered) this.#lane.resume(job.delivery);
  }
}
