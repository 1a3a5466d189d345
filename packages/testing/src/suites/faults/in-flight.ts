import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { readHistory } from "../../total-queue/check-history.ts";
import { type HistoryEvent, parseEvents } from "../../total-queue/history-event.ts";
import type { Verdict } from "../../total-queue/verdict.ts";

/** The tasks that a worker had begun and not yet brought to an end when it was killed, by its history. */
export async function inFlightOf(historyPath: string): Promise<ReadonlySet<string>> {
  return openIn(parseEvents(await readFile(historyPath, "utf8"), historyPath));
}

/** The tasks that some worker had begun before `until` and not brought to an end by `since`: epoch milliseconds. */
export async function inFlightBetween(
  directory: string,
  { since, until }: { readonly since: number; readonly until: number },
): Promise<ReadonlySet<string>> {
  const events = await readHistory(directory);
  const begun = new Set(events.filter(({ event, at }) => event === "started" && at <= until).map(({ id }) => id));
  const ended = events.filter(({ event, at }) => event === "stored" && at < since).map(({ id }) => id);
  for (const id of ended) begun.delete(id);
  return begun;
}

/**
 * The tasks whose enqueue had begun by `until` and was not acknowledged by `since`. A broker that recognises no second
 * copy may have two of them.
 */
export async function publishedBetween(
  directory: string,
  { since, until }: { readonly since: number; readonly until: number },
): Promise<ReadonlySet<string>> {
  const events = await readHistory(directory);
  const begun = new Set(events.filter(({ event, at }) => event === "attempted" && at <= until).map(({ id }) => id));
  const ended = events.filter(({ event, at }) => event === "acknowledged" && at < since).map(({ id }) => id);
  for (const id of ended) begun.delete(id);
  return begun;
}

/** In the order of one writer. */
function openIn(events: readonly HistoryEvent[]): ReadonlySet<string> {
  const open = new Set<string>();
  for (const { event, id } of events) {
    if (event === "started") open.add(id);
    else if (event === "stored") open.delete(id);
  }
  return open;
}

/** Expects that only what was in flight was executed again, and no more often than it was in flight. */
export function expectRepeatsOf({ duplicates }: Verdict, inFlight: readonly string[]): void {
  const allowed = new Map<string, number>();
  for (const id of inFlight) allowed.set(id, (allowed.get(id) ?? 0) + 1);
  const unexplained = duplicates.filter(({ id, executions }) => executions - 1 > (allowed.get(id) ?? 0));
  expect(unexplained, "tasks that were executed again though nobody had them in flight").toEqual([]);
}
