import { createBatcher } from "../batcher.ts";
import type { Consumer, Settlement, SettleResult } from "../broker.ts";
import { BrokerError } from "../errors.ts";
import { persist } from "./persist.ts";

/** Tells the broker what became of deliveries, in batches, until it has answered. */
export interface Settler {
  /** `lost`: the delivery belonged to somebody else, or no answer came within `limit`; it is delivered again then. */
  settle(settlement: Settlement): Promise<"settled" | "lost">;
  /** The same by a callback. */
  settleThen(settlement: Settlement, onSettled: (result: "settled" | "lost") => void): void;
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
    let answers: readonly SettleResult[] = [];
    const settleOpen = async (): Promise<void> => {
      const isFirst = answers.length === 0;
      answers = isFirst ? await consumer.settle(settlements) : await settleRest(consumer, settlements, answers);
      if (settlements.some((_, index) => isOpen(answers[index])))
        throw new BrokerError("BROKER_UNAVAILABLE", "The broker did not say what became of some settlements.");
    };
    await persist(settleOpen, { limit, isWanted }).catch(onError);
    return settlements.map((_, index) => (answers[index] === "settled" ? "settled" : "lost"));
  };
  const batcher = createBatcher({ run: settleAll, maxItems: 500, maxInFlight: consumer.settlesAtOnce ?? 2 });
  return {
    settle: batcher.add,
    settleThen: (settlement, onSettled) => batcher.push(settlement, onSettled, raise),
    drain: batcher.drain,
  };
}

/** What settles does not fail, but for a logger that throws: nobody else hears of it. */
function raise(error: unknown): never {
  throw error;
}

/** Settles those of which nothing is known, and answers for all. */
async function settleRest(
  consumer: Consumer,
  settlements: readonly Settlement[],
  known: readonly SettleResult[],
): Promise<readonly SettleResult[]> {
  const open = [...settlements.keys()].filter((index) => isOpen(known[index]));
  const results = await consumer.settle(open.map((index) => settlements[index] as Settlement));
  const answers = [...known];
  for (const [position, index] of open.entries()) answers[index] = results[position] ?? "unknown";
  return answers;
}

function isOpen(answer: SettleResult | undefined): boolean {
  return answer === undefined || answer === "unknown";
}
