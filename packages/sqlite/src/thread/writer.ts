import type { Fault } from "../protocol.ts";
import { toFault } from "./fault.ts";
import { isBusy, type Session } from "./session.ts";
import { type Transaction, transact } from "./transaction.ts";

/** Work that waits for the next write transaction. */
export interface WriteJob {
  /** When it is too late to begin, on the clock of `performance.now()`. */
  readonly deadline: number;
  /** How many rows it is about: transactions are kept short. */
  readonly weight: number;
  /** May run twice; what it did the first time was undone then. */
  execute(transaction: Transaction): unknown;
  succeed(output: unknown): void;
  fail(fault: Fault): void;
}

/** What goes along with every transaction, and can be a reason for one. */
export interface Companion {
  isWanted(): boolean;
  /** Runs last in a transaction. What it returns is called once that is committed. */
  execute(transaction: Transaction): () => void;
  fail(fault: Fault): void;
}

export interface Writer {
  add(job: WriteJob): void;
  /** Looks soon whether the companion wants a transaction. */
  wake(): void;
  /** Waits for all that was added. */
  drain(): Promise<void>;
}

/** Rows of one transaction. Others cannot write meanwhile. */
const maxWeight = 1_000;
const shortestPause = 1;
const longestPause = 20;

/**
 * Gathers what came at the same time into one transaction: a commit costs as much as several writes. A file
 * that another process is writing to is tried again after a pause, while the thread does other things.
 */
export function createWriter(session: Session, companion: Companion): Writer {
  let jobs: WriteJob[] = [];
  let refusals = 0;
  let isScheduled = false;
  let onDrained: (() => void)[] = [];

  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    if (refusals === 0) setImmediate(flush);
    else setTimeout(flush, pauseAfter(refusals));
  };
  const flush = (): void => {
    isScheduled = false;
    if (refusals > 0) jobs = withoutLate(jobs);
    const group = jobs.slice(0, countWithin(jobs, maxWeight));
    const left = group.length > 0 || companion.isWanted() ? commitTogether(group) : [];
    refusals = left === "busy" ? refusals + 1 : 0;
    if (left !== "busy") jobs = [...left, ...jobs.slice(group.length)];
    if (left === "busy" || jobs.length > 0) return schedule();
    for (const resolve of onDrained) resolve();
    onDrained = [];
  };
  /** Gives back what is still to be done: all of it where the file is busy. */
  const commitTogether = (group: readonly WriteJob[]): readonly WriteJob[] | "busy" => {
    try {
      commit(group, companion);
    } catch (error) {
      if (isBusy(error)) return "busy";
      if (group.length > 0) return commitAlone(group);
      companion.fail(toFault(error));
    }
    return [];
  };
  const commit = (group: readonly WriteJob[], last: Companion | undefined): void => {
    const { outputs, handOut } = transact(session, (transaction) => ({
      outputs: group.map((job) => job.execute(transaction)),
      handOut: last?.execute(transaction),
    }));
    for (const [index, job] of group.entries()) job.succeed(outputs[index]);
    handOut?.();
  };
  /** Somebody failed: each gets a transaction of its own, the companion the next, so that only that one fails. */
  const commitAlone = (group: readonly WriteJob[]): readonly WriteJob[] => {
    schedule();
    return group.filter((job) => tryAlone(job) === "busy");
  };
  const tryAlone = (job: WriteJob): "busy" | "done" => {
    try {
      commit([job], undefined);
    } catch (error) {
      if (isBusy(error)) return "busy";
      job.fail(toFault(error));
    }
    return "done";
  };

  return {
    add: (job) => {
      jobs.push(job);
      schedule();
    },
    wake: schedule,
    drain: () => (jobs.length === 0 ? Promise.resolve() : new Promise((resolve) => onDrained.push(resolve))),
  };
}

/** A random pause, so that processes that wait for each other do not meet again; longer the longer it takes. */
function pauseAfter(refusals: number): number {
  return shortestPause + Math.random() * Math.min(longestPause, 2 ** refusals);
}

function withoutLate(jobs: WriteJob[]): WriteJob[] {
  const now = performance.now();
  if (jobs.every((job) => job.deadline > now)) return jobs;
  for (const job of jobs) {
    if (job.deadline <= now) job.fail({ code: "TIMEOUT", message: "another process kept writing to it all the time" });
  }
  return jobs.filter((job) => job.deadline > now);
}

function countWithin(jobs: readonly WriteJob[], limit: number): number {
  let weight = 0;
  let count = 0;
  for (const job of jobs) {
    weight += job.weight;
    if (count > 0 && weight > limit) break;
    count += 1;
  }
  return count;
}
