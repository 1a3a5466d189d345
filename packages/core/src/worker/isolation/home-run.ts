import type { AbortedError } from "../../errors.ts";
import { monotonicNow } from "../../lifecycle.ts";
import type { AbortCarrier, Ended, Job } from "../job.ts";
import type { Charge, Member } from "./member.ts";
import type { RunListeners, SiteRun } from "./site.ts";
import type { Suspect } from "./suspect-line.ts";

/** What a home does with one of its runs. */
export interface HomeKeeper {
  onEnded(run: HomeRun, ended: Ended, waited: number): void;
  /** It aborted before it was sent. */
  onUnsentAbort(run: HomeRun): void;
  giveUp(run: HomeRun): Promise<void>;
}

/** One execution of a home. An object rather than functions for each thing it is told: there is one for every task. */
export class HomeRun implements Suspect, Charge, SiteRun, AbortCarrier {
  crashes = 0;
  /** Where it was sent to. */
  member: Member | undefined;
  readonly job: Job;
  readonly listeners: RunListeners;
  readonly since = monotonicNow();
  readonly #keeper: HomeKeeper;
  #number = 0;

  constructor(job: Job, listeners: RunListeners, keeper: HomeKeeper) {
    this.job = job;
    this.listeners = listeners;
    this.#keeper = keeper;
    job.carrier = this;
  }

  send(member: Member): void {
    this.member = member;
    this.listeners.onStart();
    this.#number = member.run(this);
  }

  /** What its member says of it is not heard any more. */
  forget(): void {
    this.member?.forget(this.#number);
  }

  onEnded(ended: Ended, waited: number): void {
    this.#keeper.onEnded(this, ended, waited);
  }

  carryAbort(reason: AbortedError): void {
    if (this.member === undefined) this.#keeper.onUnsentAbort(this);
    else this.member.abort(this.#number, reason);
  }

  giveUp(): Promise<void> {
    return this.#keeper.giveUp(this);
  }
}
