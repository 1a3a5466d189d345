import { type ListOptions, OptionError, type QueuePage } from "@taskferry/core";
import type { DeadLetter } from "./dead-queue.ts";

/** A page of what is sorted already. The cursor names the last letter of the page before, so that new ones move nothing. */
export function pageOf(letters: readonly DeadLetter[], { limit, cursor }: ListOptions): QueuePage {
  const last = cursor === undefined ? undefined : readCursor(cursor);
  const isLast = ({ at, entry }: DeadLetter): boolean => at === last?.at && entry.key === last.key;
  const found = last === undefined ? -1 : letters.findIndex(isLast);
  // It may have been removed meanwhile: what is older comes next.
  const rest =
    last === undefined ? letters : found >= 0 ? letters.slice(found + 1) : letters.filter(({ at }) => at < last.at);
  const page = rest.slice(0, limit);
  const entries = page.map(({ entry }) => entry);
  const end = page.at(-1);
  if (end === undefined || rest.length <= limit) return { entries };
  return { entries, cursor: Buffer.from(JSON.stringify([end.at, end.entry.key])).toString("base64url") };
}

/** @throws OptionError `OPTION_INVALID`. */
function readCursor(cursor: string): { readonly at: number; readonly key: string } {
  try {
    const [at, key] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as readonly unknown[];
    if (typeof at === "number" && typeof key === "string") return { at, key };
  } catch {
    // Reported below, as any other text that is no cursor.
  }
  throw new OptionError("OPTION_INVALID", `Expected a cursor that list gave, got ${JSON.stringify(cursor)}.`);
}
