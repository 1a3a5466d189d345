import type { ConsumeOptions, Consumer, Delivery, Settlement, SettleResult } from "../broker.ts";
import { ClosedError } from "../errors.ts";
import { monotonicNow } from "../lifecycle.ts";
import type { Message } from "../message.ts";
import { TurnoverSet } from "../turnover.ts";
import { type Hold, type Holder, toDelivery } from "./entry.ts";
import type { MemoryQueue } from "./queue.ts";
import type { WaitingLine } from "./waiting-line.ts";

export interface ConsumerParts extends ConsumeOptions {
  readonly queue: MemoryQueue;
  readonly line: WaitingLine;
  /** See {@link createTurns}. */
  readonly nextTurn: () => Promise<void> | undefined;
  /** Puts the message of a retry into its queue. */
  readonly replace: (message: Message, delay: number) => void;
  readonly onClose: (consumer: Consumer) => void;
}

export function createConsumer(parts: ConsumerParts): Consumer {
  const { queue, line, window, lease } = parts;
  const holder: Holder = { holds: new TurnoverSet(), lease };
  const stopping = new AbortController();
  let isClosed = false;
  queue.join(holder);

  const claim = (delivery: Delivery): Hold | undefined => {
    const hold = delivery.token as Hold | undefined;
    return hold?.holder === holder && hold.entry.hold === hold ? hold : undefined;
  };
  const takeNow = (max: number): Delivery[] => queue.take(holder, max).map((hold) => toDelivery(hold.entry, hold));

  const take = async (max: number, signal: AbortSignal): Promise<readonly Delivery[]> => {
    if (isClosed) throw new ClosedError("The consumer");
    await parts.nextTurn();
    if (signal.aborted || stopping.signal.aborted) return [];
    queue.passTime();
    const wanted = Math.min(max, window - holder.holds.size);
    if (wanted < 1) return [];
    if (queue.readyCount > 0) return takeNow(wanted);
    return line.wait({ max: wanted, take: takeNow, signals: [signal, stopping.signal] });
  };
  const extend = async (deliveries: readonly Delivery[]): Promise<readonly Delivery[]> => {
    const leaseUntil = monotonicNow() + lease;
    return deliveries.filter((delivery) => {
      const hold = claim(delivery);
      if (hold === undefined) return true;
      // To the end of the set: the holds of a consumer end in the order in which they lie there.
      holder.holds.delete(hold);
      holder.holds.add(hold);
      hold.leaseUntil = leaseUntil;
      delivery.leaseUntil = leaseUntil;
      return false;
    });
  };
  const settle = async (settlements: readonly Settlement[]): Promise<readonly SettleResult[]> => {
    const released = new Set<Hold>();
    const results = settlements.map((settlement): SettleResult => {
      const hold = claim(settlement.delivery);
      if (hold === undefined || released.has(hold)) return "lost";
      if (settlement.kind === "release") released.add(hold);
      else end(parts, settlement, hold);
      return "settled";
    });
    queue.handBack([...released], { isSpent: false });
    return results;
  };
  const stop = async (): Promise<void> => stopping.abort();
  const close = async (): Promise<void> => {
    await stop();
    isClosed = true;
    queue.leave(holder);
    parts.onClose(consumer);
  };
  const consumer: Consumer = { take, extend, settle, stop, close, [Symbol.asyncDispose]: close };
  return consumer;
}

function end(parts: ConsumerParts, settlement: Exclude<Settlement, { kind: "release" }>, hold: Hold): void {
  if (settlement.kind === "reject") return parts.queue.bury(hold, settlement.reason);
  parts.queue.finish(hold);
  if (settlement.kind === "retry") parts.replace(settlement.next, settlement.delay);
}
