const largest = 500;

/** Gathers calls of one turn of the event loop; each caller is told how its batch went. */
export function createBatchedCalls<T>(run: (items: readonly T[]) => Promise<unknown>): (item: T) => Promise<void> {
  let items: T[] = [];
  let batch: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    await new Promise(setImmediate);
    const gathered = items;
    items = [];
    batch = undefined;
    for (let start = 0; start < gathered.length; start += largest) await run(gathered.slice(start, start + largest));
  };
  return (item) => {
    items.push(item);
    batch ??= flush();
    return batch;
  };
}
