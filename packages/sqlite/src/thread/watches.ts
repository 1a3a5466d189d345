import type { EntryChange, KeyRange, WatchNews } from "../protocol.ts";
import { type Blob, type Session, toBytes } from "./session.ts";
import { readSequence } from "./transaction.ts";

export interface Watch extends KeyRange {
  tell(news: WatchNews): void;
}

/** Those of this process who watch entries. */
export interface Watches {
  /** Tells of what changes from now on, and gives the revision up to which it does not. */
  add(number: number, watch: Watch): number;
  cancel(number: number): void;
  /** Entries may have changed: reads the changes once, for all who watch. */
  check(): void;
  count(): number;
}

const pageSize = 1_000;

type Columns = [key: Blob, value: Blob | null, revision: number, expiresAt: number | null];

export function createWatches(reader: Session): Watches {
  const watches = new Map<number, Watch>();
  let seen = 0;

  const check = (): void => {
    while (watches.size > 0) {
      if (readSequence(reader, "forgotten") > seen) return beginAgain();
      const sql = `SELECT key, value, revision, expires_at FROM entries WHERE revision > ? ORDER BY revision LIMIT ?`;
      const changes = reader.rows<Columns>(sql, seen, pageSize).map(toChange);
      seen = changes.at(-1)?.revision ?? seen;
      for (const watch of watches.values()) {
        const own = changes.filter(({ key }) => isWithin(key, watch));
        if (own.length > 0) watch.tell(own);
      }
      if (changes.length < pageSize) return;
    }
  };
  const beginAgain = (): void => {
    seen = readSequence(reader, "revision");
    for (const watch of watches.values()) watch.tell("gap");
  };
  return {
    add: (number, watch) => {
      if (watches.size === 0) seen = readSequence(reader, "revision");
      watches.set(number, watch);
      return seen;
    },
    cancel: (number) => void watches.delete(number),
    check,
    count: () => watches.size,
  };
}

function isWithin(key: Uint8Array, { from, to }: KeyRange): boolean {
  return Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0;
}

function toChange([key, value, revision, expiresAt]: Columns): EntryChange {
  return {
    key: toBytes(key),
    revision,
    ...(value !== null && { value: toBytes(value) }),
    ...(value !== null && expiresAt !== null && { expiresAt }),
  };
}
