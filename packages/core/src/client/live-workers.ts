import { ConfigurationError } from "../errors.ts";
import { decodePresence, presencePrefix, type WorkerInfo } from "../presence.ts";
import { listEntries } from "../state-entries.ts";
import type { StateStore } from "../state-store.ts";

/** @throws ConfigurationError `STATE_REQUIRED` */
export async function readWorkers(state: StateStore | undefined): Promise<readonly WorkerInfo[]> {
  if (state === undefined) {
    throw new ConfigurationError(
      "STATE_REQUIRED",
      "Workers say in the state store that they live. Set `state`, or a broker or result backend that offers one.",
    );
  }
  const workers = (await listEntries(state, presencePrefix)).map(decodePresence);
  return workers.toSorted(
    (one, other) => compare(one.host, other.host) || one.pid - other.pid || compare(one.name, other.name),
  );
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
