/** Calls under way at once: enough to keep the server busy, few enough that none waits for long behind the others. */
const lanes = 4;

/** Runs `work` on each item, a few at a time and in order. Answers how each went. */
export async function inLanes<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<readonly PromiseSettledResult<void>[]> {
  const outcomes: PromiseSettledResult<void>[] = [];
  const waiting = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      const [outcome] = await Promise.allSettled([work(next.value)]);
      outcomes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}

/** {@link inLanes}, and rejects as the first that failed did. */
export async function allInLanes<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  for (const outcome of await inLanes(items, work)) if (outcome.status === "rejected") throw outcome.reason;
}
