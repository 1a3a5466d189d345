import { type Delivery, dedupeId, encodeMessage, type Settlement } from "@taskferry/core";
import { packList } from "../packed-list.ts";
import type { Argument } from "../script.ts";
import { bandAndDelay } from "./band.ts";
import { type Token, tokenOf } from "./token.ts";

/** Messages of one call at most: Lua unpacks them on its stack. */
export const largestBatch = 500;

/** One call of a script for some of the settlements, named by their indexes. */
export interface SettleCall {
  readonly step: "acknowledge" | "settle";
  readonly indexes: readonly number[];
  readonly args: readonly Argument[];
}

/** The commonest settlement has a script of its own. */
export function settleCalls(settlements: readonly Settlement[], indexes: readonly number[]): readonly SettleCall[] {
  const isAck = (index: number): boolean => settlements[index]?.kind === "ack";
  const acks = inBatches(indexes.filter(isAck)).map(
    (batch): SettleCall => ({
      step: "acknowledge",
      indexes: batch,
      args: acknowledgeArgs(batch.map((index) => tokenOf((settlements[index] as Settlement).delivery))),
    }),
  );
  const others = inBatches(indexes.filter((index) => !isAck(index))).map(
    (batch): SettleCall => ({
      step: "settle",
      indexes: batch,
      args: batch.flatMap((index) => settleArgs(settlements[index] as Settlement)),
    }),
  );
  return [...acks, ...others];
}

export function reference(delivery: Delivery): readonly Argument[] {
  const { key, owner } = tokenOf(delivery);
  return [Buffer.from(key, "latin1"), owner];
}

/** What was taken together is mostly acknowledged together: its owner is named once. */
function acknowledgeArgs(tokens: readonly Token[]): readonly Argument[] {
  const runs: string[] = [];
  let length = 0;
  tokens.forEach(({ owner }, index) => {
    length += 1;
    if (tokens[index + 1]?.owner === owner) return;
    runs.push(owner, String(length));
    length = 0;
  });
  return [packList(tokens.map(({ key }) => key)), packList(runs)];
}

export function abandonArgs(delivery: Delivery): readonly Argument[] {
  return ["abandon", ...reference(delivery), "", "", ""];
}

export function inBatches<T>(items: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / largestBatch) }, (_, index) =>
    items.slice(index * largestBatch, (index + 1) * largestBatch),
  );
}

function settleArgs(settlement: Settlement): readonly Argument[] {
  const { kind, delivery } = settlement;
  switch (kind) {
    case "retry": {
      const { next, delay } = settlement;
      const bytes = Buffer.from(encodeMessage(next));
      return [kind, ...reference(delivery), dedupeId(next), bytes, bandAndDelay(next, delay)];
    }
    case "reject":
      return [kind, ...reference(delivery), JSON.stringify(settlement.reason), settlement.reason.at, ""];
    case "ack":
    case "release":
      return [kind, ...reference(delivery), "", "", ""];
  }
}
