import type { StateEntry, StateKey, StateStore } from "./state-store.ts";

const pageSize = 200;

/** All entries under a prefix, page by page. */
export async function listEntries(state: StateStore, prefix: StateKey): Promise<readonly StateEntry[]> {
  const found: StateEntry[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await state.list(prefix, { limit: pageSize, ...(cursor !== undefined && { cursor }) });
    found.push(...page.entries);
    if (page.cursor === undefined) return found;
    cursor = page.cursor;
  }
}
