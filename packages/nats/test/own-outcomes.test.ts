import { setImmediate as turn } from "node:timers/promises";
import { createClient, defineTask, memory, newestIdTime } from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { natsResults } from "../src/index.ts";
import { opened, operator, outcomeOf, patience } from "./fixtures/values.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();
/** Milliseconds: less than a wait takes that only the clock ends. */
const soon = 3_000;
const { code: _, reason: __, ...common } = outcomeOf("");
const succeeded = { ...common, status: "succeeded" } as const;
const task = defineTask<null, null>("t");

/** Ids of tasks that this process enqueues, none of the same millisecond as what was done before. */
async function idMaker(): Promise<{
  readonly one: () => Promise<string>;
  readonly many: (n: number) => Promise<readonly string[]>;
}> {
  const client = await createClient({ broker: memory(), results: false });
  onTestFinished(() => client.close());
  const later = async (): Promise<void> => {
    for (const before = newestIdTime(); newestIdTime() === before; ) await turn();
  };
  return {
    one: async () => {
      await later();
      return (await client.enqueue(task, null)).id;
    },
    many: (count) => Promise.all(Array.from({ length: count }, async () => (await client.enqueue(task, null)).id)),
  };
}

/** Tells the ids of which values of a namespace were read. */
async function watchReads(namespace: string): Promise<() => Promise<readonly string[]>> {
  const connection = await operator(server.current().url);
  const reads: string[] = [];
  connection.subscribe(`$JS.API.DIRECT.GET.KV_${namespace}_results.>`, {
    callback: (_, { subject }) => {
      const [origin, rest] = subject.split(".").slice(-2);
      reads.push(`${rest}${origin}`);
    },
  });
  await connection.flush();
  return async () => {
    await connection.flush();
    return [...reads];
  };
}

test("who waits for its own tasks again and again reads nothing, be they over before or after", async () => {
  const reads = await watchReads("own");
  const ids = await idMaker();
  const results = await opened(natsResults({ url: server.current().url, namespace: "own" }));
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(patience) })).id;
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  expect(await wait(first)).toBe(first);
  const before = await reads();
  expect(before).toContain(first);
  for (let index = 0; index < 20; index += 1) {
    const [late, early] = [await ids.one(), await ids.one()];
    const waiting = wait(late);
    await results.store([outcomeOf(late), outcomeOf(early)]);
    expect(await waiting).toBe(late);
    expect(await wait(early)).toBe(early);
    expect(await wait(late)).toBe(late);
  }
  expect(await reads()).toEqual(before);
});

test("an outcome that was heard before many others, or large ones, is read", async () => {
  const reads = await watchReads("many");
  const ids = await idMaker();
  const results = await opened(natsResults({ url: server.current().url, namespace: "many" }));
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(soon) })).id;
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await wait(first);
  const next = await ids.one();
  const others = await ids.many(1_500);
  await results.store([next, ...others].map((id) => outcomeOf(id)));
  expect(await wait(next)).toBe(next);
  expect(await wait(others.at(-1) as string)).toBe(others.at(-1));
  const large = await ids.one();
  const largeToo = await ids.many(11);
  const body = new Uint8Array(512 * 1024);
  const result = { contentType: "x/y", body };
  await results.store([large, ...largeToo].map((id) => ({ ...succeeded, id, result })));
  expect(await wait(large)).toBe(large);
  expect(await reads()).toContain(large);
});

test("what was removed is not remembered", async () => {
  const ids = await idMaker();
  const results = await opened(natsResults({ url: server.current().url, namespace: "removed" }));
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await results.wait(first, { signal: AbortSignal.timeout(patience) });
  const next = await ids.one();
  await results.store([outcomeOf(next)]);
  await results.wait(next, { signal: AbortSignal.timeout(patience) });
  await results.delete([next]);
  const abort = new AbortController();
  const waiting = results.wait(next, { signal: abort.signal });
  abort.abort(new Error("nobody answered"));
  await expect(waiting).rejects.toThrow("nobody answered");
});

test("who hears mostly what nobody waits for stops listening, and whoever waits then gets it all the same", async () => {
  const reads = await watchReads("vain");
  const ids = await idMaker();
  const results = await opened(natsResults({ url: server.current().url, namespace: "vain" }));
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(4 * patience) })).id;
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await wait(first);
  const pending = await ids.one();
  const waiting = wait(pending);
  await results.store((await ids.many(2_000)).map((id) => outcomeOf(id)));
  const isRead = async () => {
    const id = await ids.one();
    await results.store([outcomeOf(id)]);
    await wait(id);
    return (await reads()).includes(id);
  };
  await expect.poll(isRead, { interval: 500, timeout: 3 * patience }).toBe(true);
  await results.store([outcomeOf(pending)]);
  expect(await waiting).toBe(pending);
}, 30_000);

test("a wait goes on when the server was away", async () => {
  const ids = await idMaker();
  const results = await opened(natsResults({ url: server.current().url, namespace: "away" }));
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await results.wait(first, { signal: AbortSignal.timeout(patience) });
  const [pending, done] = [await ids.one(), await ids.one()];
  const waiting = results.wait(pending, { signal: AbortSignal.timeout(2 * patience) });
  await server.current().kill();
  const returned = server.current().start();
  const later = results.wait(done, { signal: AbortSignal.timeout(2 * patience) });
  await returned;
  const others = await opened(natsResults({ url: server.current().url, namespace: "away" }));
  await others.store([outcomeOf(pending), outcomeOf(done)]);
  expect((await waiting).id).toBe(pending);
  expect((await later).id).toBe(done);
}, 30_000);
