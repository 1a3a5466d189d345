import type { Delivery, ReadableDelivery } from "../broker.ts";
import type { Logger } from "../logger.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { ResultBackend } from "../result-backend.ts";
import { persist } from "./persist.ts";

/** What a look for outcomes found: deliveries whose task has ended, with its outcome, and those it could not find out about. */
export interface Findings {
  readonly finished: ReadonlyMap<Delivery, StoredOutcome>;
  readonly unclear: readonly Delivery[];
}

export interface FindParts {
  readonly results: ResultBackend | undefined;
  /** Milliseconds for which the look is repeated. */
  readonly limit: number;
  readonly isWanted: () => boolean;
  readonly logger: Logger;
}

const nothing: Findings = { finished: new Map(), unclear: [] };

/**
 * Looks for outcomes of deliveries that may have been handed out before, in one call. A task whose worker crashed
 * between storing and acknowledging must not run again.
 */
export async function findOutcomes(
  deliveries: readonly Delivery[],
  { results, limit, isWanted, logger }: FindParts,
): Promise<Findings> {
  const suspects = deliveries.filter(isRedelivery);
  if (results === undefined || results.capabilities.kept === false || suspects.length === 0) return nothing;
  let outcomes: readonly (StoredOutcome | undefined)[];
  try {
    outcomes = await persist(() => results.get(suspects.map(({ message }) => message.id)), { limit, isWanted });
  } catch (error) {
    logger.warn(
      { error, deliveries: suspects.length },
      "could not look for outcomes of redelivered tasks: they are handed back",
    );
    return { finished: new Map(), unclear: suspects };
  }
  const finished = new Map<Delivery, StoredOutcome>();
  suspects.forEach((delivery, index) => {
    const outcome = outcomes[index];
    if (outcome !== undefined && outcome.run >= delivery.message.run) finished.set(delivery, outcome);
  });
  return { finished, unclear: [] };
}

function isRedelivery(delivery: Delivery): delivery is ReadableDelivery {
  return delivery.message !== undefined && delivery.deliveryCount !== 1;
}
