import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import {
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  type Delivery,
  type Settlement,
  type SettleResult,
} from "@taskferry/core";
import { leaseEnd, toDelivery } from "./delivery.ts";
import { cancelled, closed, isFault, isUncertain } from "./file-fault.ts";
import type { FileUse } from "./file-use.ts";
import type { LeaseReference, TakenMessage } from "./protocol.ts";
import { packSettlements } from "./settle-item.ts";

export interface ConsumerParts extends ConsumeOptions {
  readonly file: FileUse;
  readonly queue: string;
  /** Milliseconds for `extend` and `settle`. */
  readonly timeout: number;
  readonly onClose: (consumer: Consumer) => void;
  readonly onWarning: (message: string) => void;
}

/** Milliseconds after which a take that failed is tried again. */
const retryPause = 1_000;

export function createConsumer(parts: ConsumerParts): Consumer {
  const { file, window, timeout } = parts;
  const lease = Math.ceil(parts.lease);
  const held = new Set<LeaseReference>();
  const stopping = new AbortController();
  let taking: Promise<readonly Delivery[]> = Promise.resolve([]);
  let closing: Promise<void> | undefined;

  const takes = createTakes({ ...parts, lease, stopping: stopping.signal });
  const hold = (taken: readonly Taken[]): readonly Delivery[] => {
    for (const { token } of taken) held.add(token);
    // Who closes meanwhile wants no more: what has come is given up with the rest.
    return closing === undefined ? taken.map(({ message, token }) => toDelivery(message, token)) : [];
  };
  const take = async (max: number, signal: AbortSignal): Promise<readonly Delivery[]> => {
    if (closing !== undefined || !file.isOpen()) throw new ClosedError("The consumer");
    const wanted = Math.min(max, window - held.size);
    if (wanted < 1) return [];
    taking = takes(wanted, signal).then(hold);
    return taking;
  };
  const tokenOf = ({ token }: Delivery): LeaseReference | undefined =>
    held.has(token as LeaseReference) ? (token as LeaseReference) : undefined;

  const extend = async (deliveries: readonly Delivery[]): Promise<readonly Delivery[]> => {
    const leases = deliveries.map(tokenOf).filter((token) => token !== undefined);
    const ends = leases.length === 0 ? [] : await file.call("extend", { leases, length: lease }, { timeout });
    const endOf = new Map(leases.map((token, index) => [token, ends[index] ?? 0]));
    return deliveries.filter((delivery) => {
      const token = tokenOf(delivery);
      const until = token === undefined ? 0 : (endOf.get(token) ?? 0);
      if (until > 0) delivery.leaseUntil = leaseEnd(until);
      else if (token !== undefined) held.delete(token);
      return until === 0;
    });
  };
  const settle = async (settlements: readonly Settlement[]): Promise<readonly SettleResult[]> => {
    const own = settlements.filter(({ delivery }) => tokenOf(delivery) !== undefined);
    const answers = own.length === 0 ? [] : await settleOwn(parts, own);
    const answerOf = new Map(own.map((settlement, index) => [settlement, answers[index] ?? "unknown"]));
    for (const [{ delivery }, answer] of answerOf) {
      if (answer !== "unknown") held.delete(delivery.token as LeaseReference);
    }
    return settlements.map((settlement) => answerOf.get(settlement) ?? "lost");
  };
  const stop = async (): Promise<void> => {
    stopping.abort();
    await taking.catch(() => undefined);
  };
  const giveUp = async (): Promise<void> => {
    await stop();
    const leases = [...held];
    held.clear();
    parts.onClose(consumer);
    // Where that fails, the leases end by themselves.
    if (leases.length > 0) await file.link.request("abandon", leases, { timeout }).catch(() => undefined);
  };
  const close = (): Promise<void> => {
    closing ??= giveUp();
    return closing;
  };
  const consumer: Consumer = { take, extend, settle, stop, close, [Symbol.asyncDispose]: close };
  return consumer;
}

interface Taken {
  readonly message: TakenMessage;
  readonly token: LeaseReference;
}

/** Takes, and takes again where that failed: an outage is not the worker's concern. */
function createTakes({ file, queue, lease, stopping, onWarning }: ConsumerParts & { readonly stopping: AbortSignal }) {
  const consumer = randomBytes(9).toString("base64url");
  let count = 0;
  return async (max: number, signal: AbortSignal): Promise<readonly Taken[]> => {
    const signals = [signal, stopping];
    for (let isFirst = true; !signals.some(({ aborted }) => aborted); isFirst = false) {
      count += 1;
      const owner = `${consumer}:${count}`;
      try {
        const messages = await file.link.request("take", { queue, max, lease, owner }, { signals });
        return messages.map((message) => ({ message, token: { sequence: message.sequence, owner } }));
      } catch (error) {
        if (isFault(error, cancelled.code)) return [];
        if (isFault(error, closed.code)) throw new ClosedError("The consumer");
        if (isFirst) onWarning(`Could not take from ${queue}, and goes on to try. ${file.toError(error).message}`);
        await pause(retryPause, undefined, { signal: AbortSignal.any(signals) }).catch(() => undefined);
      }
    }
    return [];
  };
}

async function settleOwn(
  { file, timeout }: ConsumerParts,
  settlements: readonly Settlement[],
): Promise<readonly SettleResult[]> {
  if (!file.isOpen()) throw new ClosedError("The consumer");
  const { items, buffer } = packSettlements(settlements);
  try {
    const answers = await file.link.request("settle", items, { timeout, transfer: [buffer] });
    return answers.map((isSettled) => (isSettled ? "settled" : "lost"));
  } catch (error) {
    // Without room nothing was changed; the same settlement can be sent again.
    if (isUncertain(error) || isFault(error, "SQLITE_FULL")) return settlements.map(() => "unknown");
    throw file.toError(error);
  }
}
