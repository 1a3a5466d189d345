import { statSync } from "node:fs";
import type { Fault } from "../protocol.ts";
import { hasExpired, removeExpired } from "./expiry.ts";
import type { Session } from "./session.ts";
import type { Writer } from "./writer.ts";

export interface HouseParts {
  readonly path: string;
  readonly reader: Session;
  readonly writer: Writer;
  readonly onUnusable: (fault: Fault) => void;
}

const lookInterval = 1_000;
/** Looks between two removals of what has expired. */
const removalEvery = 5;
/** Milliseconds between the parts of a removal, in which others write. */
const removalPause = 20;
/** Rows that a removal counts for: it gets a transaction without much else. */
const removalWeight = 500;

/** Removes what has expired, a little at a time, and notices when the file is no longer the one at its path. */
export function keepHouse({ path, reader, writer, onUnusable }: HouseParts): { readonly stop: () => void } {
  const opened = statSync(path).ino;
  // Processes that started together do not look at the same time.
  let looks = Math.floor(Math.random() * removalEvery);
  let removal: NodeJS.Timeout | undefined;
  let isRemoving = false;

  const remove = (): void => {
    isRemoving = hasExpired(reader);
    if (!isRemoving) return;
    writer.add({
      deadline: performance.now() + lookInterval,
      weight: removalWeight,
      execute: removeExpired,
      succeed: () => {
        removal = setTimeout(remove, removalPause);
      },
      // The next round tries again.
      fail: () => {
        isRemoving = false;
      },
    });
  };
  const look = (): void => {
    if (!isSame(path, opened)) {
      return onUnusable({ code: "REPLACED", message: "the file was deleted or replaced while it was open" });
    }
    looks += 1;
    if (looks % removalEvery === 0 && !isRemoving) remove();
  };
  const timer = setInterval(look, lookInterval);
  return {
    stop: () => {
      clearInterval(timer);
      clearTimeout(removal);
    },
  };
}

function isSame(path: string, inode: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === inode;
}
