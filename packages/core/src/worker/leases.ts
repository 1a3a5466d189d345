import type { Consumer, Delivery } from "../broker.ts";
import { monotonicNow } from "../lifecycle.ts";

export interface LeaseParts {
  readonly consumer: Consumer;
  /** Milliseconds of a whole lease. */
  readonly lease: number;
  /** Everything that is held and not settled. */
  readonly held: () => Iterable<Delivery>;
  /** Told of a delivery that belongs to another worker, or whose lease is about to end unconfirmed. */
  readonly onLost: (delivery: Delivery) => void;
  /** Told of a failed renewal; the next beat tries again. */
  readonly onError: (error: unknown) => void;
  /** Told when the event loop was blocked for so long that leases were in danger. */
  readonly onBlocked: (milliseconds: number) => void;
}

const batch = 500;

/** Renews leases at a third of their length. Gives a delivery up a fifth before its end, so that nobody works on what another has. */
export function keepLeases(parts: LeaseParts): { readonly stop: () => void } {
  const interval = Math.max(10, Math.floor(parts.lease / 3));
  let expected = monotonicNow() + interval;
  let isRenewing = false;
  const beat = (): void => {
    const late = monotonicNow() - expected;
    expected = monotonicNow() + interval;
    if (late > interval) parts.onBlocked(Math.round(late));
    dropEnding(parts);
    if (isRenewing) return;
    isRenewing = true;
    void renew(parts)
      .catch(parts.onError)
      .finally(() => {
        isRenewing = false;
      });
  };
  const timer = setInterval(beat, interval);
  return { stop: () => clearInterval(timer) };
}

function dropEnding({ held, lease, onLost }: LeaseParts): void {
  const limit = monotonicNow() + lease / 5;
  for (const delivery of [...held()]) {
    if (delivery.leaseUntil !== undefined && delivery.leaseUntil < limit) onLost(delivery);
  }
}

async function renew({ held, consumer, onLost }: LeaseParts): Promise<void> {
  const deliveries = [...held()];
  for (let start = 0; start < deliveries.length; start += batch) {
    const lost = await consumer.extend(deliveries.slice(start, start + batch));
    for (const delivery of lost) onLost(delivery);
  }
}
