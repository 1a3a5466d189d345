import {
  BrokerError,
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  type Delivery,
  isTaskferryError,
  monotonicNow,
  type Settlement,
  type SettleResult,
  TurnoverSet,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { UnansweredError } from "../faults.ts";
import { isAbortedFirst } from "../is-aborted-first.ts";
import type { Argument } from "../script.ts";
import type { QueueKeys } from "./keys.ts";
import type { QueueScripts } from "./scripts.ts";
import { abandonArgs, inBatches, largestBatch, reference, settleCalls } from "./settle-call.ts";
import { type Taken, Taker } from "./taker.ts";
import { tokenOf } from "./token.ts";

export interface QueueConsumerParts extends ConsumeOptions {
  readonly commands: Connection;
  /** A connection of this consumer's own, to block on the marker with. */
  readonly blocking: Connection;
  readonly keys: QueueKeys;
  readonly scripts: QueueScripts;
  /** Names this consumer among all of the queue; never used before. */
  readonly id: string;
  readonly dedupeWindow: number;
  /** Called once it has handed back what it held. */
  readonly leave: () => Promise<void>;
  readonly onClose: () => void;
}

const nothing: Taken = { deliveries: [], nextAt: 0 };
/** Milliseconds for which an aborted take still waits for a reply that is on its way. */
const lastReply = 300;

/** A digit of a script; it says nothing where all are done. */
function isDone(digit: number | undefined): boolean {
  return digit === undefined || digit === 0x31;
}

function wasSent(result: PromiseSettledResult<void>): boolean {
  return result.status === "fulfilled" || result.reason instanceof UnansweredError;
}

export class QueueConsumer implements Consumer {
  readonly #parts: QueueConsumerParts;
  readonly #held = new TurnoverSet<Delivery>();
  readonly #stopped = new AbortController();
  readonly #taker: Taker;
  /** Until then there is nothing to take without a marker: the last take has left nothing. */
  #nextAt = 0;
  #isClosed = false;
  #taking: { readonly signal: AbortSignal; readonly ended: AbortSignal } | undefined;

  constructor(parts: QueueConsumerParts) {
    this.#parts = parts;
    this.#taker = new Taker({ ...parts, onTaken: (deliveries) => this.#hold(deliveries) });
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const wanted = Math.min(max, largestBatch, this.#parts.window - this.#held.size);
    const ended = this.#endOf(signal);
    while (wanted > 0 && !ended.aborted) {
      if (this.#isClosed) throw new ClosedError("The consumer");
      const idle = this.#nextAt - monotonicNow();
      this.#nextAt = 0;
      const { deliveries, nextAt } = await this.#takeOnce(wanted, idle, ended);
      this.#nextAt = nextAt;
      if (deliveries.length > 0) return deliveries;
    }
    if (this.#isClosed) throw new ClosedError("The consumer");
    return [];
  }

  async extend(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const { commands, keys, scripts, lease } = this.#parts;
    const lost = deliveries.filter((delivery) => !this.#isOwn(delivery));
    for (const batch of inBatches(deliveries.filter((delivery) => this.#isOwn(delivery)))) {
      const since = monotonicNow();
      const args = [lease, ...batch.flatMap(reference)];
      const answers = await commands.run<readonly number[]>(scripts.extend, { keys: keys.of(scripts.extend), args });
      batch.forEach((delivery, index) => {
        if (answers[index] === 1) {
          delivery.leaseUntil = since + lease;
          return;
        }
        this.#held.delete(delivery);
        lost.push(delivery);
      });
    }
    return lost;
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const results: SettleResult[] = settlements.map(({ delivery }) => (this.#isOwn(delivery) ? "unknown" : "lost"));
    const own = settlements.flatMap((_, index) => (results[index] === "unknown" ? [index] : []));
    const sent = await Promise.allSettled(
      settleCalls(settlements, own).map(async ({ step, indexes, args }) => {
        const answers = await this.#runSettle(step, args);
        indexes.forEach((index, position) => {
          results[index] = isDone(answers[position]) ? "settled" : "lost";
          this.#held.delete((settlements[index] as Settlement).delivery);
        });
      }),
    );
    const failed = sent.find((result) => result.status === "rejected");
    // Nothing at all was attempted: the caller learns why.
    const isUntried = own.every((index) => results[index] === "unknown") && !sent.some(wasSent);
    if (failed !== undefined && isUntried) throw failed.reason;
    return results;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.stop();
    this.#isClosed = true;
    try {
      for (const batch of inBatches([...this.#held])) await this.#runSettle("settle", batch.flatMap(abandonArgs));
      await this.#parts.leave();
    } catch (error) {
      // Out of reach: their leases end by themselves.
      if (!(error instanceof BrokerError) && !isTaskferryError(error, "CLOSED")) throw error;
    } finally {
      this.#held.clear();
      this.#parts.blocking.close();
      this.#parts.onClose();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #hold(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#held.add(delivery);
  }

  /** Made once for all takes with the same signal: what Node keeps of each would outlive many of them. */
  #endOf(signal: AbortSignal): AbortSignal {
    if (this.#taking?.signal !== signal)
      this.#taking = { signal, ended: AbortSignal.any([signal, this.#stopped.signal]) };
    return this.#taking.ended;
  }

  /** An abort ends the wait; what an overdue reply brings is handed back. */
  async #takeOnce(max: number, idle: number, ended: AbortSignal): Promise<Taken> {
    const taking = this.#taker.take(max, idle, ended);
    if (!(await isAbortedFirst(taking, ended, lastReply))) return taking;
    void taking
      .then(({ deliveries }) => this.settle(deliveries.map((delivery) => ({ kind: "release", delivery }))))
      .catch(() => undefined);
    return nothing;
  }

  #isOwn(delivery: Delivery): boolean {
    return tokenOf(delivery).owner.startsWith(`${this.#parts.id} `);
  }

  #runSettle(step: "acknowledge" | "settle", args: readonly Argument[]): Promise<Buffer> {
    const { commands, keys, scripts, dedupeWindow } = this.#parts;
    return commands.run(scripts[step], { keys: keys.of(scripts[step]), args: [dedupeWindow, ...args] });
  }
}
