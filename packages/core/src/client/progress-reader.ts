import { ConfigurationError } from "../errors.ts";
import { decodeProgress, type Progress, progressKey } from "../progress.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { StateChange, StateStore } from "../state-store.ts";

export type { Progress };

/** Reads progress for handles. */
export interface ProgressReader {
  read(id: string, signal: AbortSignal | undefined): AsyncIterable<Progress>;
}

export function createProgressReader(state: StateStore | undefined, results: ResultBackend): ProgressReader {
  return {
    read: (id, signal) => {
      if (state === undefined) {
        throw new ConfigurationError(
          "STATE_REQUIRED",
          "handle.progress() needs a state store. Set `state`, or a broker or result backend that offers one.",
        );
      }
      return follow(id, { state, results, signal });
    },
  };
}

async function* follow(
  id: string,
  {
    state,
    results,
    signal,
  }: { readonly state: StateStore; readonly results: ResultBackend; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Progress> {
  const end = new AbortController();
  const onAbort = (): void => end.abort();
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) end.abort();
  let last: Progress | undefined;
  const ended = results.wait(id, { signal: end.signal }).then(onAbort, onAbort);
  try {
    for await (const change of state.watch(progressKey(id), end.signal)) {
      const progress = newest(change);
      if (progress === undefined || progress.at < (last?.at ?? 0)) continue;
      last = progress;
      yield progress;
    }
    if (signal?.aborted) return;
    // What was written last may still have been on its way when the outcome ended the watch.
    const [entry] = await state.get([progressKey(id)]);
    const final = entry === undefined ? undefined : decodeProgress(entry.value);
    if (final !== undefined && (last === undefined || final.at > last.at || final.value !== last.value)) yield final;
  } finally {
    end.abort();
    signal?.removeEventListener("abort", onAbort);
    await ended;
  }
}

function newest(change: StateChange): Progress | undefined {
  const entry = change.type === "snapshot" ? change.entries[0] : change.type === "put" ? change.entry : undefined;
  return entry === undefined ? undefined : decodeProgress(entry.value);
}
