import { checkName } from "../message.ts";
import type { KeepAlive } from "./keep-alive.ts";
import { MemoryQueue, type QueueLimits } from "./queue.ts";
import { createWaitingLine, type WaitingLine } from "./waiting-line.ts";

/** The queues of one broker. They come into being when they are first named. */
export interface QueueSet {
  readonly byName: ReadonlyMap<string, MemoryQueue>;
  /** @throws OptionError `NAME_INVALID`. */
  open(name: string): MemoryQueue;
  lineOf(queue: MemoryQueue): WaitingLine;
}

export function createQueueSet(limits: QueueLimits, keepAlive: KeepAlive): QueueSet {
  const byName = new Map<string, MemoryQueue>();
  const lines = new WeakMap<MemoryQueue, WaitingLine>();
  const create = (name: string): MemoryQueue => {
    const queue = new MemoryQueue(checkName("queue", name), limits);
    byName.set(name, queue);
    lines.set(queue, createWaitingLine(queue, keepAlive));
    return queue;
  };
  return {
    byName,
    open: (name) => byName.get(name) ?? create(name),
    lineOf: (queue) => lines.get(queue) as WaitingLine,
  };
}
