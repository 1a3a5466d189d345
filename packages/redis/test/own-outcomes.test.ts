import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { createId, newestIdTime } from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { redisResults } from "../src/index.ts";
import { opened, operator, outcomeOf, patience } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();

/** An id of this process, in no millisecond in which it made another. */
async function laterId(): Promise<string> {
  for (const before = newestIdTime(); newestIdTime() === before; ) await turn();
  return createId();
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
  const results = await make("own");
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(patience) })).id;
  const first = await laterId();
  await results.store([outcomeOf(first)]);
  expect(await wait(first)).toBe(first);
  const calls = await watchCalls();
  for (let index = 0; index < 20; index += 1) {
    const [late, early] = [await laterId(), await laterId()];
    const waiting = wait(late);
    await results.store([outcomeOf(late), outcomeOf(early)]);
    expect(await waiting).toBe(late);
    expect(await wait(early)).toBe(early);
    expect(await wait(late)).toBe(late);
  }
  expect(await calls()).toBe("");
});

test("ids of another kind, and tasks of other processes, have channels of their own", async () => {
  const results = await make("other");
  const own = await laterId();
  const others = ["report-1", `${own.slice(0, -12)}0123456789ab`, randomUUID()];
  const calls = await watchCalls();
  const waiting = others.map((id) => results.wait(id, { signal: AbortSignal.timeout(patience) }));
  await expect.poll(async () => (await calls()).match(/mget/gi)?.length, { timeout: patience }).toBe(1);
  await results.store(others.map((id) => outcomeOf(id)));
  expect((await Promise.all(waiting)).map(({ id }) => id)).toEqual(others);
  for (const id of others) expect(await calls()).toMatch(new RegExp(`subscribe.* other:outcome:${id}`, "i"));
});

test("who hears mostly what nobody waits for stops listening, and whoever waits then gets it all the same", async () => {
  const results = await make("vain");
  const wait = async (id: string) => (await results.wait(id, { signal: AbortSignal.timeout(4 * patience) })).id;
  const first = await laterId();
  await results.store([outcomeOf(first)]);
  await wait(first);
  const pending = await laterId();
  const waiting = wait(pending);
  await results.store(Array.from({ length: 2_000 }, () => outcomeOf(createId())));
  const calls = await watchCalls();
  const hasChannel = async () => (await calls()).includes(`vain:outcome:${pending}`);
  await expect.poll(hasChannel, { interval: 100, timeout: 3 * patience }).toBe(true);
  await results.store([outcomeOf(pending)]);
  expect(await waiting).toBe(pending);
  const next = await laterId();
  await results.store([outcomeOf(next)]);
  expect(await wait(next)).toBe(next);
}, 30_000);
