import type { QueueSection } from "../broker.ts";
import type { Message } from "../message.ts";
import { TurnoverMap } from "../turnover.ts";
import { type Entry, entryId } from "./entry.ts";

/** Entries of a queue by the id of their task, the newest first. There is mostly one. */
export class TaskIndex {
  readonly #newest = new TurnoverMap<string, Entry>();

  add(entry: Entry): void {
    const id = entryId(entry);
    if (id === undefined) return;
    entry.older = this.#newest.get(id);
    this.#newest.set(id, entry);
  }

  remove(entry: Entry): void {
    const id = entryId(entry);
    if (id === undefined) return;
    const newest = this.#newest.get(id);
    if (newest !== entry) unlink(newest, entry);
    else if (entry.older === undefined) this.#newest.delete(id);
    else this.#newest.set(id, entry.older);
    entry.older = undefined;
  }

  /** Whether this very publish of the message is in the queue. A dead letter has left it. */
  holds({ id, run, hop }: Message): boolean {
    for (let entry = this.#newest.get(id); entry !== undefined; entry = entry.older) {
      const { message } = entry.content;
      if (entry.section !== "dead" && message?.run === run && message.hop === hop) return true;
    }
    return false;
  }

  newest(id: string, section: QueueSection): Entry | undefined {
    let entry = this.#newest.get(id);
    while (entry !== undefined && entry.section !== section) entry = entry.older;
    return entry;
  }
}

function unlink(newest: Entry | undefined, entry: Entry): void {
  let newer = newest;
  while (newer !== undefined && newer.older !== entry) newer = newer.older;
  if (newer !== undefined) newer.older = entry.older;
}
