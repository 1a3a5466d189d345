import { reviveError } from "../../error-record.ts";
import { type AbortedError, ConfigurationError } from "../../errors.ts";
import type { Ended, Job } from "../job.ts";
import { answerCall, type CallParts } from "./answer-call.ts";
import { fromEndedRecord, reviveOurs } from "./ended-record.ts";
import type { Isolate, SpawnIsolate } from "./isolate.ts";
import { unpackFields } from "./log-fields.ts";
import type { IsolateStart, Report, Request, TaskDescription } from "./protocol.ts";
import type { IsolationReporter } from "./reporter.ts";

export interface MemberParts {
  readonly spawn: SpawnIsolate;
  readonly start: IsolateStart;
  readonly reporter: IsolationReporter;
  /** What it does for handlers there; there from the time on when tasks are taken. */
  readonly calls: () => CallParts;
  /** Told of an error that nobody in it caught: it takes no more tasks well. */
  readonly onFault?: (member: Member) => void;
}

/** How a member's life ended. */
export interface MemberEnd {
  readonly why: string;
  readonly error: unknown;
}

/** Milliseconds within which an idle event loop turns. */
const answerLimit = 2_000;
/** Milliseconds that what handlers needed may take to be given back. */
const leaveLimit = 15_000;

/** A job that a member runs. */
export interface Charge {
  readonly job: Job;
  /** @param waited - milliseconds that it waited for a slot there. */
  onEnded(ended: Ended, waited: number): void;
}

/** One thread or process in life: sends it jobs in batches, and answers for each how it ended. */
export class Member {
  /** Resolves to the tasks it found. Rejects when it cannot start. */
  readonly ready: Promise<readonly TaskDescription[]>;
  /** Resolves once it has ended. Jobs that ran then are in `jobs`, and get no answer. */
  readonly ended: Promise<MemberEnd>;
  /** Bytes that it held when it told last; for a process. */
  memory = 0;
  readonly #isolate: Isolate;
  readonly #parts: MemberParts;
  readonly #runs = new Map<number, Charge>();
  #lateness = 0;
  #outbox: Request[] = [];
  #isFlushing = false;
  #lastRun = 0;
  #resolveReady: (tasks: readonly TaskDescription[]) => void = () => undefined;
  #rejectReady: (error: unknown) => void = () => undefined;
  readonly #onPong: (() => void)[] = [];
  #fault: Error | undefined;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => undefined);
    let onEnd: (end: MemberEnd) => void = () => undefined;
    this.ended = new Promise((resolve) => {
      onEnd = resolve;
    });
    this.#isolate = parts.spawn({
      onReports: (reports) => {
        for (const report of reports) this.#read(report);
      },
      onExit: (why, error) => {
        this.#rejectReady(
          new Error(`The ${this.#isolate.name} for handlers ${why} before it was ready.`, { cause: error }),
        );
        onEnd({ why, error: error ?? this.#fault });
        for (const onPong of this.#onPong.splice(0)) onPong();
      },
    });
    this.#isolate.post([parts.start]);
  }

  get name(): string {
    return this.#isolate.name;
  }

  /** What runs in it. */
  get jobs(): readonly Job[] {
    return [...this.#runs.values()].map(({ job }) => job);
  }

  get size(): number {
    return this.#runs.size;
  }

  /** Runs a job. Answers with the number of its run. */
  run(charge: Charge): number {
    this.#lastRun += 1;
    const run = this.#lastRun;
    const { job } = charge;
    this.#runs.set(run, charge);
    const { deliveryCount } = job.delivery;
    const message = job.opened === undefined ? job.message : { ...job.message, ...job.opened };
    this.#post({ type: "run", run, message, deliveryCount, captured: job.captured, slots: job.slots });
    if (job.aborted !== undefined) this.abort(run, job.aborted);
    return run;
  }

  abort(run: number, { code, message }: AbortedError): void {
    this.#post({ type: "abort", run, code, message });
  }

  /** Its answer is not heard any more. */
  forget(run: number): void {
    this.#runs.delete(run);
  }

  /** Asks for what waits for a slot there, of one queue or of all: it ends as `stopping`. */
  recall(queue?: string): void {
    this.#post({ type: "recall", queue });
  }

  /** Milliseconds by which its event loop was late at most, since it was asked before; for a process. */
  takeLateness(): number {
    const lateness = this.#lateness;
    this.#lateness = 0;
    return lateness;
  }

  /** Whether its event loop turns, or it ends, within `limit` milliseconds. */
  answers(limit: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), limit);
      this.#onPong.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
      this.#post({ type: "ping" });
    });
  }

  kill(): Promise<void> {
    return this.#isolate.kill();
  }

  /** Lets it clean up, and kills it when its event loop does not turn, or when that takes too long. */
  async leave(): Promise<void> {
    this.#post({ type: "leave" });
    void this.answers(answerLimit).then((isAlive) => (isAlive ? undefined : this.kill()));
    const timer = setTimeout(() => void this.kill(), leaveLimit);
    await this.ended;
    clearTimeout(timer);
  }

  #post(request: Request): void {
    this.#outbox.push(request);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      const requests = this.#outbox;
      this.#outbox = [];
      this.#isolate.post(requests);
    });
  }

  #read(report: Report): void {
    const { reporter } = this.#parts;
    switch (report.type) {
      case "ended": {
        const run = this.#runs.get(report.run);
        if (run === undefined) return;
        this.#runs.delete(report.run);
        return run.onEnded(fromEndedRecord(report.how), report.waited);
      }
      case "progress":
        return reporter.onProgress(report.id, report.value, report.note);
      case "log":
        return reporter.onLog({ ...report, fields: unpackFields(report.fields) });
      case "call":
        return void this.#answer(report);
      case "blocked":
        return reporter.onBlocked(report.milliseconds, report.tasks);
      case "fault":
        return this.#readFault(report.kind, reviveError(report.error));
      case "memory":
        this.memory = report.bytes;
        if (report.late === undefined) return;
        this.#lateness = Math.max(this.#lateness, report.late);
        reporter.onLate(report.late);
        return;
      case "pong":
        return this.#onPong.shift()?.();
      case "ready":
        return this.#resolveReady(report.tasks);
      case "unfit":
        return this.#rejectReady(toStartError(report));
    }
  }

  async #answer({ call, what }: Extract<Report, { readonly type: "call" }>): Promise<void> {
    const job = what.kind === "enqueue" ? this.#runs.get(what.run)?.job : undefined;
    this.#post({ type: "answer", call, ...(await answerCall(what, job, this.#parts.calls())) });
  }

  #readFault(kind: "exception" | "rejection", error: Error): void {
    const { reporter, onFault } = this.#parts;
    reporter.onFault(kind, { error, tasks: this.jobs.map(({ message }) => message.task) });
    if (kind === "rejection") return;
    this.#fault = error;
    onFault?.(this);
  }
}

function toStartError({ error, problems }: Extract<Report, { readonly type: "unfit" }>): Error {
  const { code } = error;
  if (code === "PROVIDER_FAILED") return reviveOurs(error, true);
  const isKept = code === "HANDLER_DUPLICATE" || code === "PROVIDER_CYCLE";
  return new ConfigurationError(isKept ? code : "CONFIGURATION_INVALID", problems, { cause: reviveError(error).cause });
}
