import { OptionError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { encodeProgress, type Progress, progressKey, progressTtl } from "../progress.ts";
import type { StateStore } from "../state-store.ts";

/** Writes what handlers report, at most one batch each `interval`, the newest of each task. */
export interface ProgressWriter {
  report(id: string, value: number, note: string | undefined): void;
  /** Writes what is still to be written of a task, before its outcome is stored; `undefined` when that is nothing. */
  flush(id: string): Promise<void> | undefined;
}

const interval = 100;

export function createProgressWriter(state: StateStore | undefined, logger: Logger): ProgressWriter {
  const pending = new Map<string, Progress>();
  let isScheduled = false;
  let writing: Promise<void> = Promise.resolve();

  const write = async (store: StateStore, entries: readonly (readonly [string, Progress])[]): Promise<void> => {
    try {
      await store.put(
        entries.map(([id, progress]) => ({ key: progressKey(id), value: encodeProgress(progress), ttl: progressTtl })),
      );
    } catch (error) {
      logger.warn({ error }, "progress could not be written");
    }
  };
  const flushAll = (store: StateStore): Promise<void> => {
    const entries = [...pending];
    pending.clear();
    writing = writing.then(() => write(store, entries));
    return writing;
  };
  return {
    report: (id, value, note) => {
      const checked = checkProgress(value, note);
      if (state === undefined) return;
      pending.set(id, { value, ...(checked.note !== undefined && { note: checked.note }), at: Date.now() });
      if (isScheduled) return;
      isScheduled = true;
      setTimeout(() => {
        isScheduled = false;
        if (pending.size > 0) void flushAll(state);
      }, interval);
    },
    flush: (id) => (state !== undefined && pending.has(id) ? flushAll(state) : undefined),
  };
}

/** @throws OptionError `OPTION_INVALID` */
export function checkProgress(
  value: number,
  note: string | undefined,
): { readonly value: number; readonly note: string | undefined } {
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new OptionError("OPTION_INVALID", `progress(value): expected a finite number, got ${String(value)}.`);
  return { value, note: note === undefined ? undefined : String(note).slice(0, 1_000) };
}
