import type { Broker, BrokerAdmin, QueueEntry } from "../broker.ts";
import type { Publisher } from "../enqueue/publisher.ts";
import { ConfigurationError, isTaskferryError, OptionError } from "../errors.ts";
import { checkName } from "../message.ts";
import { decodePause, encodePause, type PausedQueue, pauseKey, pausePrefix } from "../pause.ts";
import type { Protection } from "../protection/protection.ts";
import { listEntries } from "../state-entries.ts";
import type { StateStore } from "../state-store.ts";
import { requireAdmin } from "./dead-letters.ts";

/**
 * Looks into queues, empties, moves and pauses them. What the broker or the configuration cannot do is refused: a look
 * with UnsupportedCapabilityError, a pause with ConfigurationError `STATE_REQUIRED`.
 */
export interface Queues extends BrokerAdmin {
  /**
   * No worker takes anything from the queue any more, wherever it runs, until it is resumed; what runs goes on. Enqueues
   * are taken as ever. Workers hear of it at once, those that start later before they take anything. Answers whether it
   * was not paused before.
   */
  pause(queue: string): Promise<boolean>;
  /** Answers whether it was paused. */
  resume(queue: string): Promise<boolean>;
  /** The queues that are paused, by name. */
  paused(): Promise<readonly PausedQueue[]>;
  /**
   * Enqueues what waits in one queue in another instead, with its id, priority, delay and attempt, and removes it from the
   * first. Called again after a crash it goes on, and doubles nothing while the broker remembers what it took. A message
   * that a worker takes meanwhile can run twice: pause the queue first.
   *
   * @param options.section - which part of it. Default `"ready"`.
   * @param options.limit - how many, oldest first. Default: as many as there are when the call begins.
   */
  move(
    from: string,
    to: string,
    options?: { readonly section?: "ready" | "delayed"; readonly limit?: number },
  ): Promise<MoveReport>;
}

/** What became of the messages of a queue: how many moved, and those that could not. */
export interface MoveReport {
  readonly moved: number;
  readonly left: readonly { readonly key: string; readonly reason: string }[];
}

export interface QueueParts {
  readonly broker: Broker;
  readonly state: StateStore | undefined;
  readonly publisher: Publisher;
  readonly protection: Protection;
}

const pageSize = 200;

export function createQueues({ broker, state, publisher, protection }: QueueParts): Queues {
  const admin = async (): Promise<BrokerAdmin> => requireAdmin(broker);
  return {
    queues: async () => (await admin()).queues(),
    depth: async (queue) => (await admin()).depth(queue),
    list: async (queue, options) => (await admin()).list(queue, options),
    read: async (queue, section, key) => (await admin()).read(queue, section, key),
    remove: async (queue, section, keys) => (await admin()).remove(queue, section, keys),
    purge: async (queue, section) => (await admin()).purge(queue, section),
    pause: async (queue) => {
      const key = pauseKey(checkName("queue", queue));
      const [result] = await requireState(state).put([{ key, value: encodePause(Date.now()), expect: "absent" }]);
      return result?.status === "written";
    },
    resume: async (queue) => {
      const [was = false] = await requireState(state).delete([{ key: pauseKey(checkName("queue", queue)) }]);
      return was;
    },
    paused: async () => readPaused(requireState(state)),
    move: async (from, to, { section = "ready", limit } = {}) => {
      if (checkName("queue", from) === checkName("queue", to))
        throw new OptionError("OPTION_INVALID", `move: expected two queues, got ${from} twice.`);
      const source = await admin();
      const mover = new Mover({ admin: source, publisher, protection, from, to, section });
      return mover.move(limit ?? (await source.depth(from))[section] ?? Number.POSITIVE_INFINITY);
    },
  };
}

interface MoverParts {
  readonly admin: BrokerAdmin;
  readonly publisher: Publisher;
  readonly protection: Protection;
  readonly from: string;
  readonly to: string;
  readonly section: "ready" | "delayed";
}

/** Moves page by page. What moved is gone from the first page; what cannot move stays there and is passed over. */
class Mover {
  readonly #parts: MoverParts;
  readonly #left = new Map<string, string>();
  #moved = 0;

  constructor(parts: MoverParts) {
    this.#parts = parts;
  }

  async move(limit: number): Promise<MoveReport> {
    const { admin, from, section } = this.#parts;
    let cursor: string | undefined;
    do {
      const page = await admin.list(from, { section, limit: pageSize, ...(cursor !== undefined && { cursor }) });
      const entries = page.entries.filter(({ key }) => !this.#left.has(key)).slice(0, limit - this.#moved);
      await this.#moveAll(entries);
      // A cursor leads past what was there: after a move the first page is another.
      cursor = entries.length > 0 ? undefined : page.cursor;
      if (entries.length === 0 && cursor === undefined) break;
    } while (this.#moved < limit);
    return { moved: this.#moved, left: [...this.#left].map(([key, reason]) => ({ key, reason })) };
  }

  async #moveAll(entries: readonly QueueEntry[]): Promise<void> {
    const { admin, from, section } = this.#parts;
    const reasons = await Promise.all(entries.map((entry) => this.#publish(entry)));
    const keys = entries.flatMap(({ key }, index) => (reasons[index] === undefined ? [key] : []));
    entries.forEach(({ key }, index) => {
      const reason = reasons[index];
      if (reason !== undefined) this.#left.set(key, reason);
    });
    if (keys.length > 0) await admin.remove(from, section, keys);
    this.#moved += keys.length;
  }

  /** Why it stays, if it does. */
  async #publish({ message, dueAt }: QueueEntry): Promise<string | undefined> {
    if (message === undefined) return "these bytes are no message";
    const delay = dueAt === undefined ? 0 : Math.max(0, dueAt - Date.now());
    const { protection, publisher, to } = this.#parts;
    try {
      const moved = await protection.moveTo({ ...message, hop: message.hop + 1 }, to, delay);
      const result = await publisher.add(delay > 0 ? { message: moved, delay } : { message: moved });
      if (result.status === "refused" || result.status === "unknown") return result.error.message;
      if (moved.body !== message.body) await protection.discardInput(message);
      return undefined;
    } catch (error) {
      if (isTaskferryError(error)) return error.message;
      throw error;
    }
  }
}

async function readPaused(state: StateStore): Promise<readonly PausedQueue[]> {
  const paused = (await listEntries(state, pausePrefix)).map(decodePause);
  return paused.toSorted((one, other) => (one.queue < other.queue ? -1 : 1));
}

function requireState(state: StateStore | undefined): StateStore {
  if (state !== undefined) return state;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    "To pause a queue needs a state store, which tells all workers. Set `state`, or a broker or result backend that offers one.",
  );
}
