import { expect, test } from "vitest";
import { type AnnouncedChange, type StateEntry, StateWatch } from "../src/index.ts";

const entry = (text: string, revision: number): StateEntry => ({
  key: ["a", text],
  value: Buffer.from(text),
  revision: String(revision),
});
const put = (text: string, revision: number): AnnouncedChange => ({
  revision,
  change: { type: "put", entry: entry(text, revision) },
});

test("a gap is told before the snapshot that ends it is read, and what came meanwhile after it", async () => {
  const snapshots = [[entry("one", 1)], [entry("one", 1), entry("two", 2)]];
  const asked: string[] = [];
  const end = new AbortController();
  const watch = new StateWatch({
    signal: end.signal,
    subscribe: async () => undefined,
    snapshot: async () => {
      asked.push("snapshot");
      if (asked.length === 2) for (const change of [put("two", 2), put("three", 3)]) watch.offer(change);
      return snapshots.shift() ?? [];
    },
    onEnd: () => asked.push("end"),
  });
  const changes = watch.changes();
  const next = async (): Promise<unknown> => (await changes.next()).value;
  expect(await next()).toEqual({ type: "snapshot", entries: [entry("one", 1)] });
  watch.restart();
  expect(await next()).toEqual({ type: "gap" });
  expect(asked).toEqual(["snapshot"]);
  expect(await next()).toEqual({ type: "snapshot", entries: [entry("one", 1), entry("two", 2)] });
  expect(await next()).toEqual(put("three", 3).change);
  end.abort();
  expect(await changes.next()).toEqual({ done: true, value: undefined });
  expect(asked).toEqual(["snapshot", "snapshot", "end"]);
});
