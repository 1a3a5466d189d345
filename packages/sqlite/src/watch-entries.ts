import type { StateChange, StateKey } from "@taskferry/core";
import { closed, FileFault } from "./file-fault.ts";
import type { FileUse } from "./file-use.ts";
import { createInbox } from "./inbox.ts";
import type { EntryChange, EntryRow, KeyRange } from "./protocol.ts";
import { toEntry } from "./state-entry.ts";
import { decodeKey, keyRange, keyText } from "./state-key.ts";

const pageSize = 1_000;

/** A snapshot, then changes; a snapshot again where changes may have been missed. Ends when `signal` aborts. */
export async function* watchEntries(
  file: FileUse,
  prefix: StateKey,
  signal: AbortSignal,
): AsyncGenerator<StateChange, void, undefined> {
  if (signal.aborted) return;
  const inbox = createInbox();
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  signal.addEventListener("abort", stop);
  try {
    const range = keyRange(prefix);
    const watching = { signals: [stopping.signal], onChanges: inbox.receive, onEnd: inbox.end };
    const since = await file.wait("watch", range, watching);
    let known = new Map<string, number>();
    for (let news = await inbox.next(); news !== undefined; news = await inbox.next()) {
      if (news === "gap") {
        const rows = await readAll(file, range);
        const later = rows.filter(({ revision }) => revision > since);
        known = new Map(later.map(({ key, revision }) => [keyText(key), revision]));
        yield { type: "snapshot", entries: rows.map(toEntry) };
      } else if (news.revision > (known.get(keyText(news.key)) ?? 0)) {
        yield toChange(news);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  if (!signal.aborted) throw file.toError(new FileFault(closed));
}

function toChange({ key, value, revision, expiresAt }: EntryChange): StateChange {
  if (value === undefined) return { type: "delete", key: decodeKey(key) };
  return { type: "put", entry: toEntry({ key, value, revision, expiresAt }) };
}

/** All pages. A change between two of them comes as a change too, and is left out where the page had it already. */
async function readAll(file: FileUse, { from, to }: KeyRange): Promise<readonly EntryRow[]> {
  const rows: EntryRow[] = [];
  for (let start = from; ; ) {
    const page = await file.wait("listEntries", { from: start, to, limit: pageSize }, {});
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return rows;
    start = Uint8Array.of(...last.key, 0);
  }
}
