import { createBatcher } from "../batcher.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { ResultBackend } from "../result-backend.ts";
import { persist } from "./persist.ts";

/** Stores outcomes, in batches, for all queues of a worker. */
export interface Recorder {
  /** Answers with the outcome that stands, or `undefined` when the result backend was out of reach for `limit`. */
  storeThen(outcome: StoredOutcome, onStored: (standing: StoredOutcome | undefined) => void): void;
  drain(): Promise<void>;
}

export interface RecorderParts {
  readonly results: ResultBackend;
  /** Milliseconds for which a store is repeated. */
  readonly limit: number;
  readonly isWanted: () => boolean;
  readonly onError: (error: unknown) => void;
}

export function createRecorder({ results, limit, isWanted, onError }: RecorderParts): Recorder {
  const storeAll = async (outcomes: readonly StoredOutcome[]): Promise<readonly (StoredOutcome | undefined)[]> => {
    try {
      return await persist(() => results.store(outcomes), { limit, isWanted });
    } catch (error) {
      onError(error);
      return outcomes.map(() => undefined);
    }
  };
  const batcher = createBatcher({ run: storeAll, maxItems: 500, maxInFlight: 2 });
  return {
    storeThen: (outcome, onStored) => batcher.push(outcome, onStored, () => onStored(undefined)),
    drain: batcher.drain,
  };
}
