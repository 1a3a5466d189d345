import { ConfigurationError } from "../errors.ts";
import { decodePresence, presencePrefix, type WorkerInfo } from "../presence.ts";
import type { StateStore } from "../state-store.ts";

const pageSize = 200;

/** @throws ConfigurationError `STATE_REQUIRED` */
export async function readWorkers(state: StateStore | undefined): Promise<readonly WorkerInfo[]> {
  if (state === undefined) {
    throw new ConfigurationError(
      "STATE_REQUIRED",
      "Workers say in the state store that they live. Set `state`, or a broker or result backend that offers one.",
    );
  }
  const workers: WorkerInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await state.list(presencePrefix, { limit: pageSize, ...(cursor !== undefined && { cursor }) });
    workers.push(...page.entries.map(decodePresence));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return workers.toSorted(
    (one, other) => compare(one.host, other.host) || one.pid - other.pid || compare(one.name, other.name),
  );
}

function compare(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
