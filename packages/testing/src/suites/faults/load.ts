import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readHistory } from "../../total-queue/check-history.ts";
import { parseEvents } from "../../total-queue/history-event.ts";
import type { FaultScene } from "./fault-scene.ts";

export interface RunningLoad {
  readonly finished: Promise<unknown>;
  /** Whether all of it has an outcome. */
  readonly isFinished: () => boolean;
}

/** Two producers that share a load. */
export async function startLoad(
  scene: FaultScene,
  { count, pause }: { readonly count: number; readonly pause: number },
): Promise<RunningLoad> {
  const producers = await Promise.all([scene.startProducer(), scene.startProducer()]);
  let isFinished = false;
  const loads = producers.map((producer, index) => {
    const load = { prefix: `producer-${index}`, count: count / producers.length, pause };
    return scene.produce(producer, load).finished;
  });
  const finished = Promise.all(loads).then(() => {
    isFinished = true;
  });
  finished.catch(() => undefined);
  return { finished, isFinished: () => isFinished };
}

/** Tasks whose worker is gone. */
export interface Orphans {
  readonly tasks: ReadonlySet<string>;
  /** When it was killed, and from when on there was another to take them: epoch milliseconds. */
  readonly killedAt: number;
  readonly since: number;
}

/** How long each orphan that ran again waited for that, in milliseconds. */
export async function waitsOf(directory: string, orphans: readonly Orphans[]): Promise<readonly number[]> {
  const started = (await readHistory(directory)).filter(({ event }) => event === "started");
  return orphans.flatMap(({ tasks, killedAt, since }) => {
    const next = new Map<string, number>();
    for (const { id, at } of started) {
      if (at >= killedAt && tasks.has(id)) next.set(id, Math.min(at, next.get(id) ?? at));
    }
    return [...next.values()].map((at) => Math.max(0, at - since));
  });
}

/** For each process of a history, how long after a moment it next began a task or was told that one is enqueued. */
export async function resumedAfter(directory: string, moment: number): Promise<readonly number[]> {
  const files = (await readdir(directory)).map((name) => join(directory, name));
  const next = files.map(async (path) => {
    const events = parseEvents(await readFile(path, "utf8"), path);
    const steps = events.filter(({ event, at }) => at > moment && (event === "started" || event === "acknowledged"));
    return Math.min(...steps.map(({ at }) => at - moment));
  });
  return Promise.all(next);
}
