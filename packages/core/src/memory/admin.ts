import type { BrokerAdmin, ListOptions, QueueEntry, QueuePage, QueueSection } from "../broker.ts";
import { OptionError } from "../errors.ts";
import { monotonicNow } from "../lifecycle.ts";
import { type Entry, parseKey, toQueueEntry } from "./entry.ts";
import type { MemoryQueue } from "./queue.ts";

const sections: readonly QueueSection[] = ["ready", "delayed", "running", "dead"];

/** @param queues - those that were ever used, by name. */
export function createAdmin(queues: ReadonlyMap<string, MemoryQueue>, checkOpen: () => void): BrokerAdmin {
  const withQueue = async <T>(name: string, absent: T, look: (queue: MemoryQueue) => T): Promise<T> => {
    checkOpen();
    const queue = queues.get(name);
    return queue === undefined ? absent : look(queue);
  };
  return {
    queues: async () => {
      checkOpen();
      const used = [...queues.values()].filter((queue) => sections.some((section) => queue.count(section) > 0));
      return used.map(({ name }) => name).sort();
    },
    depth: (name) => withQueue(name, { ready: 0, delayed: 0, running: 0, dead: 0 }, countAll),
    list: (name, options) => withQueue(name, { entries: [] }, (queue) => listPage(queue, options)),
    read: (name, section, key) => withQueue(name, undefined, (queue) => readEntry(queue, section, key)),
    remove: (name, section, keys) =>
      withQueue(name, 0, (queue) => {
        const found = keys.flatMap((key) => findEntry(queue, section, key) ?? []);
        const entries = new Set(found);
        for (const entry of entries) queue.remove(entry);
        return entries.size;
      }),
    purge: (name, section) => withQueue(name, 0, (queue) => queue.purge(section)),
  };
}

function countAll(queue: MemoryQueue): Record<QueueSection, number> {
  const count = (section: QueueSection): number => queue.count(section);
  return { ready: count("ready"), delayed: count("delayed"), running: count("running"), dead: count("dead") };
}

function listPage(queue: MemoryQueue, { section, limit, cursor }: ListOptions): QueuePage {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new OptionError("OPTION_INVALID", `limit: expected a whole number from 1 to 1000, got ${String(limit)}.`);
  }
  const found = queue.page(section, cursor === undefined ? undefined : Number(cursor), limit + 1);
  const entries = found.slice(0, limit);
  const page = { entries: entries.map((entry) => toQueueEntry(entry, clockOffset())) };
  return found.length > limit ? { ...page, cursor: String(entries.at(-1)?.position) } : page;
}

function readEntry(queue: MemoryQueue, section: QueueSection, key: string): QueueEntry | undefined {
  const entry = findEntry(queue, section, key);
  return entry && toQueueEntry(entry, clockOffset());
}

function findEntry(queue: MemoryQueue, section: QueueSection, key: string): Entry | undefined {
  const position = parseKey(key);
  return position === undefined ? queue.findTask(section, key) : queue.find(section, position);
}

function clockOffset(): number {
  return Date.now() - monotonicNow();
}
