import type { Handle, Outcome, WorkerEvent } from "@taskferry/core";
import { expect } from "vitest";
import { readHistory } from "../../total-queue/check-history.ts";
import { type Run, runsOf, signalLimit, type WorkerHistory } from "./cancelled-runs.ts";
import type { FaultScene } from "./fault-scene.ts";

/** The moments of its life at which a task is cancelled. */
export const moments = ["pending", "delayed", "starting", "running", "retrying", "finishing"] as const;
export type Moment = (typeof moments)[number];

/** One task of the play. */
export interface Actor {
  readonly id: string;
  readonly index: number;
  /** When it shall be cancelled; `undefined`: it is left alone. */
  readonly aim: Moment | undefined;
  readonly isForced: boolean;
  readonly milliseconds: number;
  /** In epoch milliseconds; 0: it is not delayed. */
  readonly delayedUntil: number;
  readonly handle: Handle;
}

/** One task, and what came of it. */
export interface Played extends Actor {
  /** The call of `cancel`, in epoch milliseconds. */
  readonly call: { readonly at: number; readonly answeredAt: number; readonly answer: string } | undefined;
  readonly outcome: Outcome;
}

interface Evidence {
  readonly played: readonly Played[];
  readonly events: readonly WorkerEvent[];
  readonly workers: readonly WorkerHistory[];
}

type Call = NonNullable<Played["call"]>;

/** A task that was cancelled, with all its runs. */
interface Case extends Played {
  readonly call: Call;
  readonly runs: readonly Run[];
}

/** Holds what came of cancelled tasks against what is promised. Returns figures of it. */
export async function expectSound(
  scene: FaultScene,
  { played, events, workers }: Evidence,
): Promise<Readonly<Record<string, number>>> {
  await expectOneState(scene, played);
  const runs = await runsOf(workers);
  const cases = played.flatMap((task): readonly Case[] =>
    task.call === undefined ? [] : [{ ...task, call: task.call, runs: runs.get(task.id) ?? [] }],
  );
  const unforced = cases.filter(({ isForced, call }) => isForced && call.answer !== "finished");
  expect(unforced, "tasks that were cancelled by force and had no outcome at once").toEqual([]);
  const ended = cases.filter(({ outcome }) => outcome.status === "cancelled");
  const slowest = takesBack(scene) ? signalLimit : 0;
  const inHand = expectNoneStarted(ended, { of: receiptsOf(events), slowest });
  const signals = ended.flatMap((item) => latenessOf(item, item.call.answeredAt));
  expect(Math.max(0, ...signals), "milliseconds to the latest signal").toBeLessThanOrEqual(scene.scale.signal);
  const sinceCalls = ended.flatMap((item) => latenessOf(item, item.call.at));
  const counts = countMoments(cases, events);
  for (const moment of moments) expect(counts[moment], `tasks that were cancelled ${moment}`).toBeGreaterThan(0);
  return {
    ...counts,
    cancelled: ended.length,
    "by force": ended.filter(({ isForced }) => isForced).length,
    "started though cancelled, since a worker had them": inHand,
    signals: sinceCalls.length,
    "milliseconds to the latest signal": Math.max(0, ...sinceCalls),
    "milliseconds to the latest signal from the answer": Math.max(0, ...signals),
  };
}

/** Whether the broker can take a message back: then nobody need be asked before it starts. */
function takesBack({ capabilities: { inspection, inspects } }: FaultScene): boolean {
  return inspection !== "refused" && (inspects?.includes("ready") ?? true);
}

/** What was told, by a worker or to who waited, is what is read again. */
async function expectOneState(scene: FaultScene, played: readonly Played[]): Promise<void> {
  const history = await readHistory(scene.history);
  const told = (name: "stored" | "cancelled"): ReadonlySet<string> =>
    new Set(history.filter(({ event }) => event === name).map(({ id }) => id));
  const [stored, cancelled] = [told("stored"), told("cancelled")];
  for (const { id, outcome, handle } of played) {
    if (outcome.status === "failed")
      throw new Error(`Expected ${id} to succeed or be cancelled: ${outcome.error.message}`);
    expect(await handle.get(), `the outcome of ${id}, read again`).toEqual(outcome);
    const others = outcome.status === "cancelled" ? stored : cancelled;
    expect(others.has(id), `${id} was told of as something else than ${outcome.status}`).toBe(false);
  }
}

interface Receipts {
  /** When workers received each task, in epoch milliseconds. */
  readonly of: ReadonlyMap<string, readonly number[]>;
  /** Milliseconds that the word of a cancellation takes at most; 0 where workers ask for each task before it starts. */
  readonly slowest: number;
}

function receiptsOf(events: readonly WorkerEvent[]): Receipts["of"] {
  const receipts = new Map<string, number[]>();
  for (const event of events) {
    if (event.type !== "task.received") continue;
    const ofTask = receipts.get(event.id);
    if (ofTask === undefined) receipts.set(event.id, [event.at]);
    else ofTask.push(event.at);
  }
  return receipts;
}

/**
 * What no worker had when it was cancelled never starts. What a worker had, or was about to get, may do so for as long as
 * the word takes to reach it, and hears of it then. Returns how many those were.
 */
function expectNoneStarted(cases: readonly Case[], receipts: Receipts): number {
  const late = cases.filter(({ call, runs }) => runs.some(({ startedAt }) => startedAt > call.answeredAt));
  const wrong = late.filter((item) => !wasInHand(item, receipts));
  const evidence = wrong.map(({ id, aim, isForced, call, runs }) => ({
    ...{ id, aim, isForced, call, runs },
    received: receipts.of.get(id),
  }));
  // In the message itself: a summary may show no more of a failure.
  expect(wrong, `tasks that started after they were cancelled: ${JSON.stringify(evidence)}`).toEqual([]);
  return late.length;
}

function wasInHand({ id, isForced, call, runs }: Case, { of, slowest }: Receipts): boolean {
  // Its message was taken back, or its handler had ended.
  if (call.answer === "finished" && !isForced) return false;
  const before = runs.filter(({ startedAt }) => startedAt <= call.answeredAt).length;
  if (runs.length > before + 1) return false;
  return (of.get(id) ?? []).filter((at) => at <= call.answeredAt + slowest).length > before;
}

/** Milliseconds until what ran saw its signal, ended by itself, or lost its worker. Those that fail at once have no say. */
function latenessOf({ aim, runs }: Case, cancelledAt: number): readonly number[] {
  if (aim === "retrying") return [];
  return runs.flatMap(({ startedAt, abortedAt, executedAt, killedAt }) => {
    const since = Math.max(cancelledAt, startedAt);
    const over = Math.min(...[abortedAt, executedAt, killedAt].filter((at) => at !== undefined));
    return over < since ? [] : [over - since];
  });
}

function countMoments(cases: readonly Case[], events: readonly WorkerEvent[]): Record<Moment, number> {
  const counts: Record<Moment, number> = { pending: 0, delayed: 0, starting: 0, running: 0, retrying: 0, finishing: 0 };
  const retries = new Map<string, number>();
  for (const event of events) if (event.type === "task.retrying") retries.set(event.id, event.at);
  for (const item of cases) {
    const moment = momentOf(item, retries.get(item.id));
    if (moment !== undefined) counts[moment] += 1;
  }
  return counts;
}

/** A handler that began so many milliseconds before is starting, one that ended so many before is finishing. */
const instant = 5;
const settling = 50;

/** In which moment of its life the call met a task; `undefined`: it had ended. */
function momentOf({ call, runs, delayedUntil }: Case, retriedAt: number | undefined): Moment | undefined {
  const begun = runs.findLast(({ startedAt }) => startedAt <= call.at);
  if (begun === undefined) {
    const isStarting = runs.some(({ startedAt }) => startedAt <= call.answeredAt);
    if (isStarting) return "starting";
    return call.at < delayedUntil ? "delayed" : "pending";
  }
  if (begun.executedAt !== undefined && begun.executedAt <= call.answeredAt)
    return begun.executedAt >= call.at - settling ? "finishing" : undefined;
  if (retriedAt !== undefined && retriedAt >= begun.startedAt && retriedAt <= call.answeredAt) return "retrying";
  return call.at - begun.startedAt <= instant ? "starting" : "running";
}
