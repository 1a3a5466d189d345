import { CrashError } from "../../errors.ts";
import { monotonicNow } from "../../lifecycle.ts";
import type { Ended, Job } from "../job.ts";
import { type HomeKeeper, HomeRun } from "./home-run.ts";
import { Member, type MemberEnd, type MemberParts } from "./member.ts";
import type { TaskDescription } from "./protocol.ts";
import { createRestartPause } from "./restart-pause.ts";
import type { RunListeners, Site, SiteRun } from "./site.ts";
import { SuspectLine } from "./suspect-line.ts";

export interface HomeParts extends Omit<MemberParts, "onFault"> {
  /** Crashes under one execution after which it fails, alone or not. */
  readonly maxCrashes: number;
  /** Told when no process can be started any more. */
  readonly onHopeless: (error: unknown) => void;
}

/** Milliseconds within which a process must answer after a handler in it was given up. */
const answerLimit = 1_000;
/** Starts in a row that may fail. */
const maxFailedStarts = 5;
/** Milliseconds that what is not sent ahead may wait for a slot. */
const longestWait = 100;

/**
 * One process whose event loop runs many handlers at once. When it ends under them they run again in the next one, the
 * worker having kept their leases: all together the first time, later one by one, so that the one which ends it is found
 * out and fails, and no other.
 */
export class Home implements Site {
  readonly #parts: HomeParts;
  readonly #runs = new Set<HomeRun>();
  readonly #members = new Set<Member>();
  readonly #pause = createRestartPause();
  readonly #suspects = new SuspectLine<HomeRun>(() => this.#fill());
  /** How many of each queue have been sent and have not ended. */
  readonly #sent = new Map<string, number>();
  readonly #keeper: HomeKeeper = {
    onEnded: (run, ended, waited) => this.#onEnded(run, ended, waited),
    onUnsentAbort: (run) => this.#endUnstarted(run),
    giveUp: (run) => this.#giveUp(run),
  };
  #ageTimer: NodeJS.Timeout | undefined;
  #current: Member | undefined;
  #next: Member | undefined;
  #waiting: HomeRun[] = [];
  #failedStarts = 0;
  #isStopping = false;

  constructor(parts: HomeParts) {
    this.#parts = parts;
  }

  get memory(): number {
    return [...this.#members].reduce((sum, { memory }) => sum + memory, 0);
  }

  takeLateness(): number {
    return Math.max(0, ...[...this.#members].map((member) => member.takeLateness()));
  }

  /** @throws ConfigurationError when the handlers cannot be loaded there. */
  async start(): Promise<readonly TaskDescription[]> {
    const member = this.#open();
    const tasks = await member.ready;
    this.#current = member;
    return tasks;
  }

  run(job: Job, listeners: RunListeners): SiteRun {
    const run = new HomeRun(job, listeners, this.#keeper);
    this.#runs.add(run);
    if (this.#isStopping) this.#end(run, { kind: "stopping" });
    else if (this.#isOpen && this.#maySend(run)) this.#begin(run, this.#current as Member);
    else {
      this.#waiting.push(run);
      this.#fill();
    }
    return run;
  }

  /** Whether what comes next need not wait behind others. */
  get #isOpen(): boolean {
    return this.#current !== undefined && this.#waiting.length === 0 && this.#suspects.isEmpty;
  }

  recall(queue: string): void {
    // What came last goes first, so that the front of the queue keeps its order.
    for (const run of [...this.#runs].toReversed())
      if (run.job.message.queue === queue && !run.job.isAcknowledged) this.#endUnstarted(run);
    for (const member of this.#members) member.recall(queue);
  }

  stop(): void {
    this.#isStopping = true;
    for (const run of [...this.#runs]) this.#endUnstarted(run);
    for (const member of this.#members) member.recall();
  }

  async close(): Promise<void> {
    this.stop();
    this.#stopAgeTimer();
    this.#suspects.close();
    const members = [...this.#members];
    this.#members.clear();
    await Promise.all(members.map((member) => (member.size > 0 ? member.kill() : member.leave())));
  }

  #open(): Member {
    const { spawn, start, reporter, calls } = this.#parts;
    const member = new Member({ spawn, start, reporter, calls, onFault: (faulty) => this.#replace(faulty) });
    this.#members.add(member);
    void member.ended.then((end) => this.#onEnd(member, end));
    return member;
  }

  #fill(): void {
    const member = this.#current;
    if (member === undefined || this.#suspects.isAlone) return;
    const suspect = this.#suspects.next();
    if (suspect !== undefined) return this.#begin(suspect, member);
    const late = new Set<string>();
    for (const run of this.#waiting.splice(0)) {
      const { queue } = run.job.message;
      if (!late.has(queue) && this.#maySend(run)) this.#begin(run, member);
      else {
        late.add(queue);
        this.#waiting.push(run);
      }
    }
    if (this.#waiting.length === 0) this.#stopAgeTimer();
    else this.#ageTimer ??= setInterval(() => this.#age(), longestWait / 2);
  }

  /** What is timed, acknowledged already or counted by a rate is not sent ahead: it begins when it is sent. */
  #maySend({ job: { slots, options, isAcknowledged, message, handler } }: HomeRun): boolean {
    const isCounted = handler.task.options.limit?.rate !== undefined;
    if (slots === 0 || (options.timeout === undefined && !isAcknowledged && !isCounted)) return true;
    return (this.#sent.get(message.queue) ?? 0) < slots;
  }

  #begin(run: HomeRun, member: Member): void {
    const { queue } = run.job.message;
    this.#sent.set(queue, (this.#sent.get(queue) ?? 0) + 1);
    run.send(member);
  }

  #onEnded(run: HomeRun, ended: Ended, waited: number): void {
    const { member } = run;
    this.#end(run, ended, waited);
    if (member !== this.#current && member?.size === 0) void member.leave();
  }

  #end(run: HomeRun, ended: Ended, waited = 0): void {
    if (!this.#runs.delete(run)) return;
    run.job.carrier = undefined;
    this.#takeOut(run);
    this.#suspects.remove(run);
    run.listeners.onEnd(ended, waited);
  }

  /** It waits nowhere and runs nowhere any more. */
  #takeOut(run: HomeRun): void {
    if (run.member === undefined) {
      this.#waiting = this.#waiting.filter((other) => other !== run);
      return;
    }
    const { queue } = run.job.message;
    this.#sent.set(queue, (this.#sent.get(queue) ?? 0) - 1);
    run.member = undefined;
    if (this.#waiting.length > 0) this.#fill();
  }

  /** Hands back what has waited for a slot while another worker may be idle. */
  #age(): void {
    if (this.#current === undefined || this.#suspects.isAlone) return;
    const limit = monotonicNow() - longestWait;
    for (const run of this.#waiting.filter(({ since }) => since < limit)) this.#endUnstarted(run);
    if (this.#waiting.length === 0) this.#stopAgeTimer();
  }

  #stopAgeTimer(): void {
    clearInterval(this.#ageTimer);
    this.#ageTimer = undefined;
  }

  #endUnstarted(run: HomeRun): void {
    if (run.member === undefined) this.#end(run, { kind: "stopping" });
  }

  /** New tasks go to a new process; what runs in the old one may end there. */
  #replace(member: Member): void {
    if (member !== this.#current || this.#isStopping) return;
    member.recall();
    this.#pause.fail();
    void this.#restart();
  }

  async #restart(): Promise<void> {
    if (this.#next !== undefined || this.#isStopping || !this.#pause.isOver(() => void this.#restart())) return;
    const former = this.#current;
    const member = this.#open();
    this.#next = member;
    try {
      await member.ready;
    } catch (error) {
      this.#next = undefined;
      this.#onFailedStart(error);
      return;
    }
    this.#next = undefined;
    this.#failedStarts = 0;
    this.#current = member;
    if (former?.size === 0) void former.leave();
    this.#fill();
  }

  #onFailedStart(error: unknown): void {
    if (this.#isStopping) return;
    this.#failedStarts += 1;
    this.#pause.fail();
    this.#parts.reporter.onRestart({ error });
    if (this.#failedStarts >= maxFailedStarts) this.#parts.onHopeless(error);
    else void this.#restart();
  }

  #onEnd(member: Member, { why, error }: MemberEnd): void {
    if (!this.#members.delete(member)) return;
    const victims = [...this.#runs].filter((run) => run.member === member);
    for (const run of victims) run.forget();
    const wasCurrent = member === this.#current;
    if (wasCurrent) this.#current = undefined;
    // What was retired leaves by itself once it has nothing to do, and what never was ready is told elsewhere.
    if (victims.length > 0 || wasCurrent)
      this.#parts.reporter.onRestart({
        why: `${member.name} ${why}`,
        tasks: victims.map(({ job }) => job.message.task),
      });
    const crash = new CrashError(
      `The ${member.name} that ran the handler ${why}.`,
      error === undefined ? {} : { cause: error },
    );
    for (const run of victims) this.#onCrash(run, crash);
    if (!wasCurrent) return;
    this.#pause.fail();
    void this.#restart();
  }

  #onCrash(run: HomeRun, error: CrashError): void {
    run.crashes += 1;
    this.#takeOut(run);
    if (run.job.aborted !== undefined || this.#isStopping) return this.#end(run, { kind: "stopping" });
    const isConvicted = this.#suspects.isTheOne(run) || run.crashes >= this.#parts.maxCrashes;
    if (isConvicted || run.job.isAcknowledged) return this.#end(run, { kind: "threw", error, isFinal: false });
    this.#again(run);
  }

  #again(run: HomeRun): void {
    if (run.crashes > 1) this.#suspects.add(run);
    else this.#waiting.push(run);
  }

  async #giveUp(run: HomeRun): Promise<void> {
    const { member, job } = run;
    run.forget();
    this.#runs.delete(run);
    this.#takeOut(run);
    this.#suspects.remove(run);
    job.carrier = undefined;
    if (member === undefined) return;
    this.#parts.reporter.onAbandoned(job);
    void this.#killIfBlocked(member, job);
  }

  /** A handler that blocks the event loop for ever blocks its neighbours: they go on in a new process. */
  async #killIfBlocked(member: Member, job: Job): Promise<void> {
    if (await member.answers(answerLimit)) return;
    if (this.#isStopping || !this.#members.delete(member)) return;
    const neighbours = [...this.#runs].filter((run) => run.member === member);
    for (const run of neighbours) {
      run.forget();
      this.#takeOut(run);
      this.#again(run);
    }
    this.#parts.reporter.onRestart({ why: `${member.name} was blocked`, tasks: [job.message.task] });
    if (member === this.#current) this.#current = undefined;
    void this.#restart();
    await member.kill();
  }
}
