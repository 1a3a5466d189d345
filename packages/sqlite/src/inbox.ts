import type { EntryChange, WatchNews } from "./protocol.ts";
import { keyText } from "./state-key.ts";

/** What was told and not yet read: of each key the last change, so that a slow reader costs no more than its keys. */
export interface Inbox {
  receive(news: WatchNews): void;
  /** The next change; `"gap"` at first, and whenever all that came before is void; `undefined` at the end. */
  next(): Promise<"gap" | EntryChange | undefined>;
  end(): void;
}

export function createInbox(): Inbox {
  const changes = new Map<string, EntryChange>();
  let hasGap = true;
  let hasEnded = false;
  let wake = (): void => undefined;

  const receive = (news: WatchNews): void => {
    if (news === "gap") {
      hasGap = true;
      changes.clear();
    } else {
      for (const change of news) {
        // To the end, where its revision belongs.
        changes.delete(keyText(change.key));
        changes.set(keyText(change.key), change);
      }
    }
    wake();
  };
  const next = async (): Promise<"gap" | EntryChange | undefined> => {
    while (!hasEnded) {
      if (hasGap) {
        hasGap = false;
        return "gap";
      }
      const [first] = changes;
      if (first !== undefined) {
        changes.delete(first[0]);
        return first[1];
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return undefined;
  };
  const end = (): void => {
    hasEnded = true;
    wake();
  };
  return { receive, next, end };
}
