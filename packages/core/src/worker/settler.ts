import { createBatcher } from "../batcher.ts";
import type { Consumer, Settlement } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { persist } from "./persist.ts";

/** Tells the broker what became of deliveries, in batches, until it has answered. */
export interface Settler {
  /** `lost`: the delivery belonged to somebody else, or no answer came within `limit`; it is delivered again then. */
  settle(settlement: Settlement): Promise<"settled" | "lost">;
  drain(): Promise<void>;
}

export interface SettlerParts {
  readonly consumer: Consumer;
  /** Milliseconds for which a settlement is repeated. */
  readonly limit: number;
  readonly isWanted: () => boolean;
  readonly onError: (error: unknown) => void;
}

export function createSettler({ consumer, limit, isWanted, onError }: SettlerParts): Settler {
  const settleAll = async (settlements: readonly Settlement[]): Promise<readonly ("settled" | "lost")[]> => {
    const answers: ("settled" | "lost" | "unknown")[] = settlements.map(() => "unknown");
    const settleOpen = async (): Promise<void> => {
      const open = [...answers.keys()].filter((index) => answers[index] === "unknown");
      const results = await consumer.settle(open.map((index) => settlements[index] as Settlement));
      open.forEach((index, position) => {
        answers[index] = results[position] ?? "unknown";
      });
      if (answers.includes("unknown"))
        throw new BrokerError("BROKER_UNAVAILABLE", "The broker did not say what became of some settlements.");
    };
    await persist(settleOpen, { limit, isWanted }).catch(onError);
    return answers.map((answer) => (answer === "unknown" ? "lost" : answer));
  };
  const batcher = createBatcher({ run: settleAll, maxItems: 500, maxInFlight: 2 });
  return { settle: batcher.add, drain: batcher.drain };
}
