import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { readHistory } from "../../total-queue/check-history.ts";
import { parseEvents } from "../../total-queue/history-event.ts";
import type { FaultScene } from "./fault-scene.ts";

/** Milliseconds for which a task that is on its way to a worker may still start after it was cancelled. */
export const signalLimit = 500;

/** One start of a handler, as its worker wrote it down. */
export interface Run {
  readonly id: string;
  readonly startedAt: number;
  readonly abortedAt: number | undefined;
  readonly executedAt: number | undefined;
  /** When its worker was killed. */
  readonly killedAt: number | undefined;
}

export interface WorkerHistory {
  readonly path: string;
  readonly killedAt: number | undefined;
}

/** The runs of every task, the first to start first. Times are epoch milliseconds. */
export async function runsOf(workers: readonly WorkerHistory[]): Promise<ReadonlyMap<string, readonly Run[]>> {
  const runs = (await Promise.all(workers.map(runsIn))).flat();
  const byId = new Map<string, Run[]>();
  for (const run of runs.toSorted((one, other) => one.startedAt - other.startedAt)) {
    const ofTask = byId.get(run.id);
    if (ofTask === undefined) byId.set(run.id, [run]);
    else ofTask.push(run);
  }
  return byId;
}

async function runsIn({ path, killedAt }: WorkerHistory): Promise<readonly Run[]> {
  type Open = { -readonly [K in keyof Run]: Run[K] };
  const runs: Open[] = [];
  const open = new Map<string, Open>();
  for (const { event, id, at } of parseEvents(await readFile(path, "utf8"), path)) {
    const run = open.get(id);
    if (event === "started") {
      const begun: Open = { id, startedAt: at, abortedAt: undefined, executedAt: undefined, killedAt };
      runs.push(begun);
      open.set(id, begun);
    } else if (event === "aborted" && run !== undefined) run.abortedAt = at;
    else if (event === "executed" && run !== undefined) run.executedAt = at;
  }
  return runs;
}

/** Expects that each saw its signal abort in time. Returns the milliseconds of the last. */
export async function expectSignals(
  scene: FaultScene,
  { ids, since, limit }: { readonly ids: readonly string[]; readonly since: number; readonly limit: number },
): Promise<number> {
  const aborted = (await readHistory(scene.history)).filter(({ event }) => event === "aborted");
  const unheard = ids.filter((id) => !aborted.some((event) => event.id === id));
  expect(unheard, "tasks that ran and saw no signal").toEqual([]);
  const latest = Math.max(...aborted.map(({ at }) => at - since));
  expect(latest, "milliseconds to the last signal").toBeLessThanOrEqual(limit);
  return latest;
}
