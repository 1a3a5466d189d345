import { type Client, OptionError, type QueueEntry } from "@taskferry/core";

/** A dead letter and the queue it is in. */
export interface Letter {
  readonly queue: string;
  readonly entry: QueueEntry;
}

/** The queues to look into: the one that was named, else all. */
export async function queuesToSearch(
  client: Client<false, boolean>,
  queue: string | undefined,
): Promise<readonly string[]> {
  return queue === undefined ? await client.queues.queues() : [queue];
}

/**
 * Finds a dead letter by its key or its task's id.
 *
 * @throws OptionError `OPTION_INVALID` when several queues have one of that key.
 */
export async function locate(
  client: Client<false, boolean>,
  queues: readonly string[],
  key: string,
): Promise<Letter | undefined> {
  const entries = await Promise.all(queues.map((queue) => client.deadLetters.read(queue, key)));
  const letters = entries.flatMap((entry, index) =>
    entry === undefined ? [] : [{ queue: queues[index] as string, entry }],
  );
  if (letters.length > 1) {
    throw new OptionError(
      "OPTION_INVALID",
      `Expected one dead letter ${key}, got one in each of the queues ${letters.map(({ queue }) => queue).join(", ")}. Name one with --queue.`,
    );
  }
  return letters[0];
}
