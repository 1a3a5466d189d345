import {
  type Client,
  isTaskferryError,
  type QueueDepth,
  UnsupportedCapabilityError,
  type WorkerInfo,
  type WorkerQueue,
} from "@taskferry/core";

/** What goes on at one moment. */
export interface Snapshot {
  /** Wall-clock epoch milliseconds. */
  readonly at: number;
  readonly queues: readonly WatchedQueue[];
  /** `null` where no state store knows. */
  readonly workers: readonly WorkerInfo[] | null;
}

export interface WatchedQueue {
  readonly queue: string;
  readonly ready: number | undefined;
  /** As the broker counts, else as the live workers say. */
  readonly running: number | undefined;
  readonly delayed: number | undefined;
  readonly dead: number | undefined;
  readonly isPaused: boolean;
  /** Live workers that work on it. */
  readonly workers: number;
  /** Executions that ended each second, over all live workers, and those of them that failed. */
  readonly perSecond: number;
  readonly failedPerSecond: number;
}

/**
 * Looks into the queues and for the workers: queues that hold something, those that a worker works on, and those that are
 * paused. What the broker or the configuration cannot tell is left out.
 *
 * @throws UnsupportedCapabilityError where neither tells which queues there are.
 */
export async function readSnapshot(client: Client<boolean>): Promise<Snapshot> {
  const [found, workers, paused] = await Promise.all([
    orNull("UNSUPPORTED_CAPABILITY", () => client.queues.queues()),
    orNull("STATE_REQUIRED", () => client.workers()),
    orNull("STATE_REQUIRED", () => client.queues.paused()),
  ]);
  if (found === null && workers === null) throw nobodyTells();
  const isPaused = new Set(paused?.map(({ queue }) => queue));
  const worked = workers?.flatMap(({ queues }) => queues) ?? [];
  const names = new Set([...(found ?? []), ...worked.map(({ queue }) => queue), ...isPaused]);
  const queues = await Promise.all(
    [...names].toSorted().map(async (queue) => {
      const depth = await orNull("UNSUPPORTED_CAPABILITY", () => client.queues.depth(queue));
      const own = worked.filter((one) => one.queue === queue);
      return describeQueue({ queue, ...depth }, { own, isPaused: isPaused.has(queue), isKnown: workers !== null });
    }),
  );
  return { at: Date.now(), queues, workers };
}

function nobodyTells(): UnsupportedCapabilityError {
  return new UnsupportedCapabilityError(
    "inspection",
    "Which queues there are is told neither by the broker, which cannot list them, nor by workers, which need a state store to say so. Set `state`.",
  );
}

async function orNull<T>(code: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isTaskferryError(error) && error.code === code) return null;
    throw error;
  }
}

interface Known {
  /** As live workers work on it. */
  readonly own: readonly WorkerQueue[];
  readonly isPaused: boolean;
  /** Whether it is known which workers live. */
  readonly isKnown: boolean;
}

function describeQueue(
  { queue, ready, running, delayed, dead }: Partial<QueueDepth> & { readonly queue: string },
  { own, isPaused, isKnown }: Known,
): WatchedQueue {
  const total = (count: (queue: WorkerQueue) => number): number =>
    Number(own.reduce((sum, one) => sum + count(one), 0).toPrecision(12));
  return {
    queue,
    ready,
    running: running ?? (isKnown ? total((one) => one.running) : undefined),
    delayed,
    dead,
    isPaused,
    workers: own.length,
    perSecond: total(({ perSecond }) => perSecond),
    failedPerSecond: total(({ failedPerSecond }) => failedPerSecond),
  };
}
