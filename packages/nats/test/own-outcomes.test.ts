import { setImmediate as turn } from "node:timers/promises";
import { createId, newestIdTime } from "@taskferry/core";
import { expect, test } from "vitest";
import { natsResults } from "../src/index.ts";
import { opened, operator, outcomeOf, patience } from "./fixtures/values.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();

/** An id of this process, in no millisecond in which it made another. */
async function laterId(): Promise<string> {
  for (const before = newestIdTime(); newestIdTime() === before; ) await turn();
  return createId();
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
  const results = await opened(natsResults({ url: server.current().url, namespace: "own" }));
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(patience) })).id;
  const first = await laterId();
  await results.store([outcomeOf(first)]);
  expect(await wait(first)).toBe(first);
  const before = await reads();
  expect(before).toContain(first);
  for (let index = 0; index < 20; index += 1) {
    const [late, early] = [await laterId(), await laterId()];
    const waiting = wait(late);
    await results.store([outcomeOf(late), outcomeOf(early)]);
    expect(await waiting).toBe(late);
    expect(await wait(early)).toBe(early);
    expect(await wait(late)).toBe(late);
  }
  expect(await reads()).toEqual(before);
});

test("who hears mostly what nobody waits for stops listening, and whoever waits then gets it all the same", async () => {
  const reads = await watchReads("vain");
  const results = await opened(natsResults({ url: server.current().url, namespace: "vain" }));
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(4 * patience) })).id;
  const first = await laterId();
  await results.store([outcomeOf(first)]);
  await wait(first);
  const pending = await laterId();
  const waiting = wait(pending);
  await results.store(Array.from({ length: 2_000 }, () => outcomeOf(createId())));
  const isRead = async () => {
    const id = await laterId();
    await results.store([outcomeOf(id)]);
    await wait(id);
    return (await reads()).includes(id);
  };
  await expect.poll(isRead, { interval: 500, timeout: 3 * patience }).toBe(true);
  await results.store([outcomeOf(pending)]);
  expect(await waiting).toBe(pending);
}, 30_000);
