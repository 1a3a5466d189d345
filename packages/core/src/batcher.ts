/** Gathers calls of the same moment into one. */
export interface Batcher<TItem, TAnswer> {
  /** Joins the next batch. Rejects with what `run` rejected with. */
  add(item: TItem): Promise<TAnswer>;
  /** The same by callbacks, which cost less where this is done for every task. What one throws is an unhandled rejection. */
  push(item: TItem, onAnswer: (answer: TAnswer) => void, onError: (error: unknown) => void): void;
  /** Resolves once everything added so far is answered. */
  drain(): Promise<void>;
}

export interface BatcherOptions<TItem, TAnswer> {
  /** Answers a batch, per item and in order. */
  readonly run: (items: readonly TItem[]) => Promise<readonly TAnswer[]>;
  readonly maxItems: number;
  /** Batches under way at once. While all are, items gather, so the busier it is the larger they get. */
  readonly maxInFlight: number;
}

interface Batch<TItem, TAnswer> {
  items: readonly TItem[];
  resolves: readonly ((answer: TAnswer) => void)[];
  rejects: readonly ((error: unknown) => void)[];
}

/** An idle batcher sends once nothing more can be done without waiting, so a single call waits for nobody. */
export function createBatcher<TItem, TAnswer>({
  run,
  maxItems,
  maxInFlight,
}: BatcherOptions<TItem, TAnswer>): Batcher<TItem, TAnswer> {
  let items: TItem[] = [];
  // Two lists rather than one of pairs: this is done for every task.
  let resolves: ((answer: TAnswer) => void)[] = [];
  let rejects: ((error: unknown) => void)[] = [];
  let inFlight = 0;
  let isScheduled = false;
  let onIdle: (() => void)[] = [];

  const schedule = (): void => {
    if (isScheduled || inFlight >= maxInFlight || items.length === 0) return;
    isScheduled = true;
    // Sooner than an immediate, which what else has come in goes before; all promises that can run have run by then.
    process.nextTick(flush);
  };
  const flush = (): void => {
    isScheduled = false;
    while (items.length > 0 && inFlight < maxInFlight) {
      const batch: Batch<TItem, TAnswer> = { items, resolves, rejects };
      if (items.length > maxItems) {
        batch.items = items.splice(0, maxItems);
        batch.resolves = resolves.splice(0, maxItems);
        batch.rejects = rejects.splice(0, maxItems);
      } else {
        items = [];
        resolves = [];
        rejects = [];
      }
      inFlight += 1;
      void send(batch);
    }
  };
  const send = async (batch: Batch<TItem, TAnswer>): Promise<void> => {
    try {
      const answers = await run(batch.items);
      const { resolves } = batch;
      for (let index = 0; index < resolves.length; index += 1)
        tell(resolves[index] as (answer: TAnswer) => void, answers[index] as TAnswer);
    } catch (error) {
      for (const reject of batch.rejects) tell(reject, error);
    }
    inFlight -= 1;
    schedule();
    if (inFlight === 0 && items.length === 0) {
      const idle = onIdle;
      onIdle = [];
      for (const resolve of idle) resolve();
    }
  };
  const push: Batcher<TItem, TAnswer>["push"] = (item, onAnswer, onError) => {
    items.push(item);
    resolves.push(onAnswer);
    rejects.push(onError);
    schedule();
  };
  return {
    add: (item) => new Promise((resolve, reject) => push(item, resolve, reject)),
    push,
    drain: () =>
      inFlight === 0 && items.length === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve)),
  };
}

/** Whoever throws keeps nobody else from being told. */
function tell<T>(callback: (value: T) => void, value: T): void {
  try {
    callback(value);
  } catch (error) {
    void Promise.reject(error);
  }
}
