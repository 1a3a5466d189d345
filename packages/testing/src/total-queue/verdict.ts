import type { HistoryEvent, HistoryEventName } from "./history-event.ts";

/**
 * What a history says of a queue. The queue is judged as a whole, whatever the order: everything acknowledged comes
 * out, nothing comes out that was not put in.
 *
 * Counts are of ids, not of events. The lists are in the order in which the ids came up first.
 */
export interface Verdict {
  readonly attempted: number;
  readonly acknowledged: number;
  /** Those of which the caller never learnt whether they were enqueued. Neither losing nor executing them is a fault. */
  readonly unknown: number;
  readonly started: number;
  readonly executed: number;
  readonly stored: number;
  readonly cancelled: number;
  readonly dead: number;
  /** Acknowledged, but neither executed nor cancelled nor among the dead letters. */
  readonly lost: readonly string[];
  /** Executed, though nobody ever attempted to enqueue them. */
  readonly fromNowhere: readonly string[];
  /** Executed more than once, with how often. */
  readonly duplicates: readonly Duplicate[];
}

export interface Duplicate {
  readonly id: string;
  readonly executions: number;
}

/** Judges by the events of all writers together, in any order. */
export function judge(events: Iterable<HistoryEvent>): Verdict {
  const times = countByName(events);
  const lost = [...times.acknowledged.keys()].filter(
    (id) => !times.executed.has(id) && !times.cancelled.has(id) && !times.dead.has(id),
  );
  const fromNowhere = [...times.executed.keys()].filter((id) => !times.attempted.has(id));
  const duplicates = [...times.executed]
    .filter(([, executions]) => executions > 1)
    .map(([id, executions]) => ({ id, executions }));
  return {
    attempted: times.attempted.size,
    acknowledged: times.acknowledged.size,
    unknown: times.unknown.size,
    started: times.started.size,
    executed: times.executed.size,
    stored: times.stored.size,
    cancelled: times.cancelled.size,
    dead: times.dead.size,
    lost,
    fromNowhere,
    duplicates,
  };
}

type Times = Readonly<Record<HistoryEventName, Map<string, number>>>;

function countByName(events: Iterable<HistoryEvent>): Times {
  const times: Times = {
    attempted: new Map(),
    acknowledged: new Map(),
    unknown: new Map(),
    started: new Map(),
    aborted: new Map(),
    executed: new Map(),
    stored: new Map(),
    cancelled: new Map(),
    dead: new Map(),
  };
  for (const { event, id } of events) times[event].set(id, (times[event].get(id) ?? 0) + 1);
  return times;
}
