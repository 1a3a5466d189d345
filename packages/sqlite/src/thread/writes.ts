import type { Input, OperationName, Output } from "../protocol.ts";
import { deleteEntry, putEntry } from "./entries.ts";
import { sequenceOf } from "./inspect.ts";
import { addMembers, increment, removeMembers } from "./members.ts";
import { abandon, extend, publish, settle } from "./queue.ts";
import { deleteResult, storeResult } from "./results.ts";
import { findRows, removeRow } from "./sections.ts";
import type { Transaction } from "./transaction.ts";

/** What is done in a write transaction. */
export type WriteName =
  | "publish"
  | "extend"
  | "settle"
  | "abandon"
  | "removeQueued"
  | "purgeQueue"
  | "storeResults"
  | "deleteResults"
  | "putEntries"
  | "deleteEntries"
  | "increment"
  | "addMembers"
  | "removeMembers";

export type Writes = {
  readonly [K in WriteName]: (transaction: Transaction, input: Input<K>) => Output<K>;
};

const purgeSize = 500;

/**
 * @param dedupeWindow - milliseconds for which a message that has left its queue is recognised.
 * @param notice - told of a queue that something may have come into; absent: into any.
 */
export function createWrites(dedupeWindow: number, notice: (queue?: string) => void): Writes {
  return {
    publish: (transaction, items) =>
      items.map((item) => {
        if (item.delay <= 0) notice(item.queue);
        return publish(transaction, item);
      }),
    extend: (transaction, { leases, length }) => leases.map((lease) => extend(transaction, lease, length)),
    settle: (transaction, items) => {
      if (items.some(({ kind }) => kind === "release" || kind === "retry")) notice();
      return items.map((item) => settle(transaction, item, transaction.now + dedupeWindow));
    },
    abandon: (transaction, leases) => {
      for (const lease of leases) abandon(transaction, lease);
      notice();
      return undefined;
    },
    removeQueued: (transaction, { queue, section, keys }) => {
      const sequences = keys.map(sequenceOf).filter((sequence) => sequence !== undefined);
      return countRemoved(transaction, { queue, section, sequences });
    },
    purgeQueue: (transaction, { queue, section, upTo }) => {
      const sequences = findRows(transaction, { queue, section, upTo, limit: purgeSize });
      return countRemoved(transaction, { queue, section, sequences });
    },
    storeResults: (transaction, items) => items.map((item) => storeResult(transaction, item)),
    deleteResults: (transaction, ids) => ids.filter((id) => deleteResult(transaction, id)).length,
    putEntries: (transaction, puts) => puts.map((put) => putEntry(transaction, put)),
    deleteEntries: (transaction, deletions) => deletions.map((deletion) => deleteEntry(transaction, deletion)),
    increment,
    addMembers,
    removeMembers,
  };

  function countRemoved(transaction: Transaction, { queue, section, sequences }: Removal): number {
    const forgetAt = transaction.now + dedupeWindow;
    return sequences.filter((sequence) => removeRow(transaction, { queue, section, sequence }, forgetAt)).length;
  }
}

interface Removal extends Pick<Input<"purgeQueue">, "queue" | "section"> {
  readonly sequences: readonly number[];
}

/** About how many rows a write is. */
export function weigh(input: Input<OperationName>): number {
  if (Array.isArray(input)) return input.length;
  return typeof input === "object" && input !== null && "upTo" in input ? purgeSize : 1;
}
