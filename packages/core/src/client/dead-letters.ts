import type { Broker, BrokerAdmin, QueueEntry, QueuePage } from "../broker.ts";
import { type Duration, parseDuration } from "../duration.ts";
import type { Publisher } from "../enqueue/publisher.ts";
import { isTaskferryError, UnsupportedCapabilityError } from "../errors.ts";
import type { Message } from "../message.ts";
import type { Protection } from "../protection/protection.ts";

/** The messages that were given up on, queue by queue. */
export interface DeadLetters {
  /** A page of them, newest first. */
  list(queue: string, options?: { readonly limit?: number; readonly cursor?: string }): Promise<QueuePage>;
  /** One by its key or its task's id. */
  read(queue: string, key: string): Promise<QueueEntry | undefined>;
  /**
   * Enqueues them again, each as a new run with all its attempts, and removes them. A crash between the two leaves a
   * letter whose replay the broker recognises as done. Bytes that are no message cannot be replayed and stay, as does
   * what is not what its client signed.
   *
   * @param which - keys; `"all"`, or a filter, for every one there is when the call begins.
   */
  replay(queue: string, which: readonly string[] | "all" | DeadLetterFilter): Promise<ReplayReport>;
  /** Removes them. Answers how many there were. */
  drop(queue: string, which: readonly string[] | "all" | DeadLetterFilter): Promise<number>;
}

/** Those that are all of this. What is left out does not matter. */
export interface DeadLetterFilter {
  /** The name of the task. */
  readonly task?: string;
  /** The code of the reason, such as `"TASK_FAILED"`. */
  readonly code?: string;
  /** Given up on at least so long ago. */
  readonly olderThan?: Duration;
}

/** What became of the keys: enqueued again, not found, or left because they cannot be replayed. */
export interface ReplayReport {
  readonly replayed: readonly string[];
  readonly missing: readonly string[];
  readonly left: readonly { readonly key: string; readonly reason: string }[];
}

const pageSize = 200;

export function createDeadLetters(
  broker: Broker,
  { publisher, protection }: { readonly publisher: Publisher; readonly protection: Protection },
): DeadLetters {
  const replayOne = async (queue: string, entry: QueueEntry): Promise<string | undefined> => {
    const { message, key } = entry;
    if (message === undefined) return "these bytes are no message";
    const next = nextRun(message, protection);
    if (typeof next === "string") return next;
    const result = await publisher.add({ message: next });
    if (result.status === "refused" || result.status === "unknown") return result.error.message;
    await requireAdmin(broker).remove(queue, "dead", [key]);
    return undefined;
  };
  const replay = async (queue: string, entries: readonly QueueEntry[]): Promise<ReplayReport> => {
    const faults = await Promise.all(entries.map((entry) => replayOne(queue, entry)));
    return {
      replayed: entries.flatMap(({ key }, index) => (faults[index] === undefined ? [key] : [])),
      missing: [],
      left: entries.flatMap(({ key }, index) => (faults[index] === undefined ? [] : [{ key, reason: faults[index] }])),
    };
  };
  return {
    list: async (queue, options = {}) =>
      requireAdmin(broker).list(queue, {
        section: "dead",
        limit: options.limit ?? pageSize,
        ...(options.cursor !== undefined && { cursor: options.cursor }),
      }),
    read: async (queue, key) => requireAdmin(broker).read(queue, "dead", key),
    drop: async (queue, which) => {
      const admin = requireAdmin(broker);
      if (which === "all") return admin.purge(queue, "dead");
      if (isKeys(which)) return admin.remove(queue, "dead", which);
      const found = await findAll(admin, queue, which);
      return found.length === 0
        ? 0
        : admin.remove(
            queue,
            "dead",
            found.map(({ key }) => key),
          );
    },
    replay: async (queue, keys) => {
      if (!isKeys(keys)) return replay(queue, await findAll(requireAdmin(broker), queue, keys === "all" ? {} : keys));
      const found = await Promise.all(keys.map((key) => requireAdmin(broker).read(queue, "dead", key)));
      const report = await replay(
        queue,
        found.filter((entry) => entry !== undefined),
      );
      return { ...report, missing: keys.filter((_, index) => found[index] === undefined) };
    },
  };
}

/** The message of its next run, or why there is none: what was never signed must not become so by a replay. */
function nextRun(message: Message, protection: Protection): Message | string {
  const { notBefore: _, expiresAt: __, ...kept } = message;
  const next = { ...kept, run: message.run + 1, hop: message.hop + 1, attempt: 0, enqueuedAt: Date.now() };
  try {
    return protection.signAgain(message, next);
  } catch (error) {
    if (isTaskferryError(error)) return error.message;
    throw error;
  }
}

/** @throws UnsupportedCapabilityError where the broker cannot be looked into. */
export function requireAdmin(broker: Broker): BrokerAdmin {
  if (broker.admin !== undefined) return broker.admin;
  throw new UnsupportedCapabilityError(
    "inspection",
    `${broker.name} cannot be looked into: it offers no queues, depths or dead letters to read.`,
  );
}

function isKeys(which: readonly string[] | "all" | DeadLetterFilter): which is readonly string[] {
  return Array.isArray(which);
}

async function findAll(admin: BrokerAdmin, queue: string, filter: DeadLetterFilter): Promise<readonly QueueEntry[]> {
  const { task, code, olderThan } = filter;
  const latest = olderThan === undefined ? undefined : Date.now() - parseDuration(olderThan, "olderThan");
  return (await readAll(admin, queue)).filter(
    ({ message, reason }) =>
      (task === undefined || message?.task === task) &&
      (code === undefined || reason?.code === code) &&
      (latest === undefined || (reason !== undefined && reason.at <= latest)),
  );
}

async function readAll(admin: BrokerAdmin, queue: string): Promise<readonly QueueEntry[]> {
  const entries: QueueEntry[] = [];
  let cursor: string | undefined;
  do {
    const page = await admin.list(queue, { section: "dead", limit: pageSize, ...(cursor !== undefined && { cursor }) });
    entries.push(...page.entries);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return entries;
}
