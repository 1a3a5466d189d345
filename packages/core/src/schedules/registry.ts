import { isDeepStrictEqual } from "node:util";
import { OptionError } from "../errors.ts";
import type { Schedule } from "../schedule.ts";
import { listEntries } from "../state-entries.ts";
import type { StateEntry, StateStore } from "../state-store.ts";
import { createNextAfter } from "../timing/timing.ts";
import {
  codeTtl,
  decodeSchedule,
  encodeSchedule,
  endedTtl,
  type FireTemplate,
  type ScheduleRecord,
  scheduleKey,
  schedulesPrefix,
} from "./record.ts";

/** A record as it stands in the state store. */
export interface StoredSchedule {
  readonly id: string;
  readonly record: ScheduleRecord;
  /** Of the entry; not that of the timing. */
  readonly revision: string;
  readonly expiresAt?: number;
}

/** What a change comes to: another record, or `undefined` to leave it as it is. */
export type ScheduleChange = (record: ScheduleRecord) => ScheduleRecord | undefined;

/** The schedules of a state store. Every change is a compare-and-set that is tried again until it stands. */
export interface ScheduleRegistry {
  find(id: string): Promise<StoredSchedule | undefined>;
  list(): Promise<readonly StoredSchedule[]>;
  /** Writes a new record. `undefined`: there is one with that id. */
  create(id: string, record: ScheduleRecord): Promise<StoredSchedule | undefined>;
  /** Changes what stands. `undefined`: there is none with that id. */
  change(id: string, change: ScheduleChange): Promise<StoredSchedule | undefined>;
  /** Writes over just this revision, or answers what stands instead. */
  advance(from: StoredSchedule, record: ScheduleRecord): Promise<StoredSchedule | undefined>;
  remove(id: string): Promise<boolean>;
}

export function createRegistry(state: StateStore): ScheduleRegistry {
  const find = async (id: string): Promise<StoredSchedule | undefined> => {
    const [entry] = await state.get([scheduleKey(id)]);
    return entry && readEntry(entry);
  };
  const write = async (
    id: string,
    record: ScheduleRecord,
    expect: "absent" | { readonly revision: string },
  ): Promise<{ readonly written?: StoredSchedule; readonly current?: StoredSchedule | undefined }> => {
    const ttl = ttlOf(record);
    const [result] = await state.put([
      { key: scheduleKey(id), value: encodeSchedule(record), expect, ...(ttl !== undefined && { ttl }) },
    ]);
    if (result?.status === "written") return { written: { id, record, revision: result.revision } };
    return { current: result?.current && readEntry(result.current) };
  };
  return {
    find,
    list: async () => (await listEntries(state, schedulesPrefix)).map(readEntry),
    create: async (id, record) => (await write(id, record, "absent")).written,
    change: async (id, change) => {
      let stored = await find(id);
      while (stored !== undefined) {
        const changed = change(stored.record);
        if (changed === undefined) return stored;
        const { written, current } = await write(id, changed, { revision: stored.revision });
        if (written !== undefined) return written;
        stored = current;
      }
      return undefined;
    },
    advance: async ({ id, revision }, record) => {
      const { written, current } = await write(id, record, { revision });
      return written ?? current;
    },
    remove: async (id) => (await state.delete([{ key: scheduleKey(id) }]))[0] === true,
  };
}

/** A new record: it begins now, and owes nothing of the past. */
export function newRecord(
  { timing, policy }: Schedule,
  {
    fire,
    source,
    now,
  }: { readonly fire: FireTemplate; readonly source: ScheduleRecord["source"]; readonly now: number },
): ScheduleRecord {
  return { v: 1, source, timing, policy, fire, revision: 1, cursor: now, isPaused: false };
}

/**
 * What a record becomes by another definition; `undefined` when nothing changes. Another timing begins now, under a new
 * revision; the same timing goes on where it is, so that nothing is fired twice or left out.
 */
export function redefine(record: ScheduleRecord, fresh: ScheduleRecord): ScheduleRecord | undefined {
  const { source, timing, policy, fire } = fresh;
  const isSameTiming = isDeepStrictEqual(record.timing, timing);
  const next: ScheduleRecord = {
    ...record,
    source,
    timing,
    policy,
    fire: isSameFire(record.fire, fire) ? record.fire : fire,
    ...(!isSameTiming && { revision: record.revision + 1, cursor: Math.max(fresh.cursor, record.cursor) }),
  };
  return isDeepStrictEqual(next, record) ? undefined : next;
}

/** The revision of the timing is unknown to its author: an id tells which it is. @throws OptionError `SCHEDULE_UNKNOWN` */
export function unknownSchedule(id: string): OptionError {
  return new OptionError(
    "SCHEDULE_UNKNOWN",
    `There is no schedule "${id}". One in code is known once a scheduler that has it has started.`,
  );
}

export function readEntry({ key, value, revision, expiresAt }: StateEntry): StoredSchedule {
  return {
    id: key.at(-1) ?? "",
    record: decodeSchedule(value),
    revision,
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function isSameFire(a: FireTemplate, b: FireTemplate): boolean {
  return isDeepStrictEqual({ ...a, body: Buffer.from(a.body) }, { ...b, body: Buffer.from(b.body) });
}

/** What never fires again, and what is in code, must not stay for ever. */
function ttlOf({ timing, cursor, source }: ScheduleRecord): number | undefined {
  const hasEnd = timing.at !== undefined || timing.until !== undefined;
  if (hasEnd && createNextAfter(timing)(cursor) === undefined) return endedTtl;
  return source === "code" ? codeTtl : undefined;
}
