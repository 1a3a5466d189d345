import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { createClient, defineTask, memory, newestIdTime } from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { redisResults } from "../src/index.ts";
import { opened, operator, outcomeOf, patience } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();
const task = defineTask<null, null>("t");

/** Ids of tasks that this process enqueues, none of the same millisecond as what was done before. */
async function idMaker(): Promise<{
  readonly one: () => Promise<string>;
  readonly many: (count: number) => Promise<readonly string[]>;
}> {
  const client = await createClient({ broker: memory(), results: false });
  onTestFinished(() => client.close());
  const make = async (): Promise<string> => (await client.enqueue(task, null)).id;
  return {
    one: async () => {
      for (const before = newestIdTime(); newestIdTime() === before; ) await turn();
      return make();
    },
    many: (count) => Promise.all(Array.from({ length: count }, make)),
  };
}

/** Tells what the server was asked for outcomes: the commands that read, subscribe and unsubscribe, a line each. */
async function watchCalls(): Promise<() => Promise<string>> {
  const client = operator(redis.current().url);
  const monitor = await client.monitor();
  onTestFinished(() => monitor.disconnect());
  const calls: string[] = [];
  let onMark = (_: string): void => undefined;
  monitor.on("monitor", (_: string, [command = "", ...args]: readonly string[], source: string) => {
    if (source !== "lua" && /^(?:mget|(?:un)?subscribe)$/i.test(command)) calls.push([command, ...args].join(" "));
    if (/^echo$/i.test(command)) onMark(args[0] as string);
  });
  return async () => {
    const mark = randomUUID();
    const seen = new Promise<void>((resolve) => {
      onMark = (text) => text === mark && resolve();
    });
    await client.echo(mark);
    await seen;
    return calls.join("\n");
  };
}

const make = (namespace: string) => opened(redisResults({ url: redis.current().url, namespace }));

test("who waits for its own tasks again and again asks for nothing, be they over before or after", async () => {
  const ids = await idMaker();
  const results = await make("own");
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(patience) })).id;
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  expect(await wait(first)).toBe(first);
  const calls = await watchCalls();
  for (let index = 0; index < 20; index += 1) {
    const [late, early] = [await ids.one(), await ids.one()];
    const waiting = wait(late);
    await results.store([outcomeOf(late), outcomeOf(early)]);
    expect(await waiting).toBe(late);
    expect(await wait(early)).toBe(early);
    expect(await wait(late)).toBe(late);
  }
  expect(await calls()).toBe("");
});

test("an outcome that was heard before many others is read", async () => {
  const ids = await idMaker();
  const results = await make("many");
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(patience - 2_000) })).id;
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await wait(first);
  const next = await ids.one();
  const others = await ids.many(1_500);
  await results.store([next, ...others].map((id) => outcomeOf(id)));
  const calls = await watchCalls();
  expect(await wait(next)).toBe(next);
  expect(await wait(others.at(-1) as string)).toBe(others.at(-1));
  expect(await calls()).toContain(next);
});

test("ids of another kind, and tasks of other processes, have channels of their own", async () => {
  const ids = await idMaker();
  const results = await make("other");
  const own = await ids.one();
  const others = ["report-1", `${own.slice(0, -12)}0123456789ab`, randomUUID()];
  const calls = await watchCalls();
  const waiting = others.map((id) => results.wait(id, { signal: AbortSignal.timeout(patience) }));
  await expect.poll(async () => (await calls()).match(/mget/gi)?.length, { timeout: patience }).toBe(1);
  await results.store(others.map((id) => outcomeOf(id)));
  expect((await Promise.all(waiting)).map(({ id }) => id)).toEqual(others);
  for (const id of others) expect(await calls()).toMatch(new RegExp(`subscribe.* other:outcome:${id}`, "i"));
});

test("what was removed is not remembered", async () => {
  const ids = await idMaker();
  const results = await make("removed");
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
  const ids = await idMaker();
  const results = await make("vain");
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(4 * patience) })).id;
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await wait(first);
  const pending = await ids.one();
  const waiting = wait(pending);
  await results.store((await ids.many(2_000)).map((id) => outcomeOf(id)));
  const calls = await watchCalls();
  const hasChannel = async () => (await calls()).includes(`vain:outcome:${pending}`);
  await expect.poll(hasChannel, { interval: 100, timeout: 3 * patience }).toBe(true);
  await results.store([outcomeOf(pending)]);
  expect(await waiting).toBe(pending);
  const next = await ids.one();
  await results.store([outcomeOf(next)]);
  expect(await wait(next)).toBe(next);
}, 30_000);

test("a wait goes on when the server was away", async () => {
  const ids = await idMaker();
  const results = await make("away");
  const first = await ids.one();
  await results.store([outcomeOf(first)]);
  await results.wait(first, { signal: AbortSignal.timeout(patience) });
  const [pending, done] = [await ids.one(), await ids.one()];
  const waiting = results.wait(pending, { signal: AbortSignal.timeout(3 * patience) });
  await redis.current().kill();
  const returned = redis.current().start();
  const later = results.wait(done, { signal: AbortSignal.timeout(3 * patience) });
  await returned;
  const others = await make("away");
  await others.store([outcomeOf(pending), outcomeOf(done)]);
  expect((await waiting).id).toBe(pending);
  expect((await later).id).toBe(done);
}, 30_000);
