import { AssertionError } from "node:assert";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type HistoryEvent, parseEvents } from "./history-event.ts";
import { type Duplicate, judge, type Verdict } from "./verdict.ts";

const shownIds = 10;

/** What an assertion allows for. */
export interface TotalQueueLimits {
  /**
   * How many executions there may be beyond the first of each id, over all ids. Where tasks are delivered at least once
   * and workers are killed, that is what was in flight at each kill. Default: 0.
   */
  readonly repeats?: number;
}

/** All events that were written to a directory, file by file. Those of one file are in the order of writing. */
export async function readHistory(directory: string): Promise<readonly HistoryEvent[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".ndjson")).toSorted();
  const files = await Promise.all(
    names.map(async (name) => parseEvents(await readFile(join(directory, name), "utf8"), join(directory, name))),
  );
  return files.flat();
}

/**
 * Reads a history and judges it. Writers need not have closed, or even ended, but what they write after is not in it.
 *
 * @throws `HISTORY_BROKEN` when a file holds something else than events.
 */
export async function checkHistory(directory: string): Promise<Verdict> {
  return judge(await readHistory(directory));
}

/** The verdict in a few lines, for people. */
export function reportVerdict(verdict: Verdict): string {
  const { lost, fromNowhere, duplicates } = verdict;
  const counted = [
    "attempted",
    "acknowledged",
    "unknown",
    "started",
    "executed",
    "stored",
    "cancelled",
    "dead",
  ] as const;
  return [
    counted.map((name) => `${name} ${verdict[name]}`).join(", "),
    `lost ${lost.length}${firstOf(lost)}`,
    `from nowhere ${fromNowhere.length}${firstOf(fromNowhere)}`,
    `duplicates ${duplicates.length}${firstOf(duplicates.map(({ id, executions }) => `${id} (${executions} times)`))}`,
  ].join("\n");
}

/**
 * Checks a history and throws unless nothing was lost, nothing came from nowhere, and there were no more repeats than
 * allowed. A history in which nothing was acknowledged fails too: it proves nothing.
 *
 * @returns the verdict, for what else there is to say about it.
 * @throws `AssertionError` with the report, the first ids of each kind and the path of the history; `HISTORY_BROKEN`.
 */
export async function assertTotalQueue(directory: string, { repeats = 0 }: TotalQueueLimits = {}): Promise<Verdict> {
  const verdict = await checkHistory(directory);
  const faults = faultsOf(verdict, repeats);
  if (faults.length === 0) return verdict;
  throw new AssertionError({
    message: `${faults.join("\n")}\n\n${reportVerdict(verdict)}\nhistory ${directory}`,
    actual: verdict,
    expected: { lost: [], fromNowhere: [], repeats },
    operator: "assertTotalQueue",
  });
}

function faultsOf({ acknowledged, lost, fromNowhere, duplicates }: Verdict, repeats: number): readonly string[] {
  const seen = repeatsOf(duplicates);
  return [
    acknowledged === 0 && "Expected tasks to be acknowledged, found none.",
    lost.length > 0 && `Expected every acknowledged task to be executed, cancelled or dead, lost ${lost.length}.`,
    fromNowhere.length > 0 &&
      `Expected only what was attempted to be executed, got ${fromNowhere.length} from nowhere.`,
    seen > repeats && `Expected at most ${repeats} repeated executions, got ${seen}.`,
  ].filter((fault) => fault !== false);
}

/** How many executions there were beyond the first of each id. */
function repeatsOf(duplicates: readonly Duplicate[]): number {
  return duplicates.reduce((sum, { executions }) => sum + executions - 1, 0);
}

function firstOf(items: readonly string[]): string {
  if (items.length === 0) return "";
  return `: ${items.slice(0, shownIds).join(", ")}${items.length > shownIds ? ", ..." : ""}`;
}
