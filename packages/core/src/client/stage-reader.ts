import { createBatcher } from "../batcher.ts";
import type { Enqueued } from "../enqueue/enqueued.ts";
import { idTime } from "../id.ts";
import { decodeStage, stageKey, type TaskStage } from "../stage.ts";
import type { StateEntry, StateStore } from "../state-store.ts";
import type { OutcomeReader } from "./outcome-reader.ts";

/** Says of tracked tasks that have not ended how far they are. */
export function withStages(outcomes: OutcomeReader, state: StateStore): OutcomeReader {
  const reads = createBatcher<string, StateEntry | undefined>({
    run: (ids) => state.get(ids.map(stageKey)),
    maxItems: 500,
    maxInFlight: 4,
  });
  return {
    ...outcomes,
    get: async (parts) => {
      // Before the outcome: what is pending after this look was in this stage or a later one, and never has ended before.
      const entry = await reads.add(parts.id);
      const status = await outcomes.get(parts);
      if (status.status !== "pending") return status;
      return { ...status, stage: entry === undefined ? queued(parts) : decodeStage(entry) };
    },
  };
}

function queued({ id, enqueuedAt }: Enqueued): TaskStage {
  const at = enqueuedAt ?? idTime(id);
  return { name: "queued", ...(at !== undefined && { at }) };
}
