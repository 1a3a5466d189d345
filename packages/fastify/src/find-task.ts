import { type Background, type Client, defineTask, type Handle, type TaskStatus } from "@taskferry/core";

export interface FoundTask {
  readonly handle: Handle;
  readonly status: TaskStatus;
}

export interface TaskPlaces {
  readonly client: Client;
  /** Absent where nothing ran in the background so far. */
  readonly background: () => Promise<Background> | undefined;
  /** Where tasks without an outcome are looked for. Absent: in every queue of the broker. */
  readonly queues: readonly string[] | undefined;
}

/** An outcome is found by its id alone: the name is not needed, and not known here. */
const someTask = defineTask<unknown, unknown>("unknown");

/** @throws OptionError `OPTION_INVALID` for what is no id. */
export async function findTask(id: string, { client, background, queues }: TaskPlaces): Promise<FoundTask> {
  const own = (await background())?.handle(id);
  const ownStatus = await own?.get();
  if (own !== undefined && ownStatus !== undefined && isThere(ownStatus)) return { handle: own, status: ownStatus };
  const first = await look(client, id, queues?.[0] ?? someTask.options.queue);
  if (first.status.status !== "unknown") return first;
  for (const queue of queues?.slice(1) ?? (await client.queues.queues())) {
    const found = await look(client, id, queue);
    if (found.status.status !== "unknown") return found;
  }
  return first;
}

async function look(client: Client, id: string, queue: string): Promise<FoundTask> {
  const handle = client.handle(someTask, id, { queue });
  return { handle, status: await handle.get() };
}

function isThere({ status }: TaskStatus): boolean {
  return status !== "unknown" && status !== "expired";
}
