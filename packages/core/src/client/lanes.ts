const lanes = 16;

/** Runs `work` on each item, some at a time. Answers in order; rejects with the first failure. */
export async function inLanes<TItem, TAnswer>(
  items: readonly TItem[],
  work: (item: TItem) => Promise<TAnswer>,
): Promise<readonly TAnswer[]> {
  const answers = new Array<TAnswer>(items.length);
  const waiting = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of waiting) answers[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  return answers;
}
