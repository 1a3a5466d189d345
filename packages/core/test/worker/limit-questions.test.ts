import { expect, test } from "vitest";
import { defineTask, memory, type StateKey, type StateStore } from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

type Add = StateStore["add"];

/** A broker, and its state store with questions about limits answered by `answer`. */
function asked(answer: (key: StateKey, ask: () => ReturnType<Add>) => ReturnType<Add>) {
  const broker = memory();
  const state = broker.companions.state();
  const add: Add = (key, ...rest) => answer(key, () => state.add(key, ...rest));
  return { broker, state: { ...state, add } };
}

test("who has all places of a limit asks for none", async () => {
  const questions: string[] = [];
  const parts = asked((key, ask) => {
    questions.push(key.at(-1) ?? "");
    return ask();
  });
  const task = defineTask<number>("one-by-one", { limit: { concurrency: 1 } });
  const end = gate<void>();
  const { client, seen } = await stage([task.handler((n) => (n === 0 ? end.promise : undefined))], parts);
  const first = await client.enqueue(task, 0);
  await seen("task.started");
  const before = questions.length;
  const others = (await client.enqueueMany(task, [1, 2, 3, 4, 5])).flatMap((item) =>
    item.status === "refused" ? [] : [item.handle],
  );
  await expect.poll(async () => (await client.queues.depth("default")).ready).toBe(0);
  end.open();
  await Promise.all([first, ...others].map((handle) => handle.result()));
  expect(questions.slice(before)).toEqual([]);
});

test("a key whose questions are in vain does not keep others from their slots", async () => {
  const unanswered = gate<void>();
  let questions = 0;
  const parts = asked(async (key, ask) => {
    if (!key.includes("k:vain")) return ask();
    questions += 1;
    if (questions > 8) unanswered.open();
    return questions > 8 ? new Promise<never>(() => undefined) : { added: [], size: 1 };
  });
  const perKey = { key: (key: string): string => key };
  const vain = defineTask<string>("vain", { limit: { ...perKey, rate: { limit: 1, per: 100 } } });
  const other = defineTask<string>("other", { limit: { ...perKey, concurrency: 1 } });
  const { client, seen, events } = await stage([vain.handler(() => undefined), other.handler(() => undefined)], parts);
  const places = ["limits", "other", "k:k", "places"];
  await parts.state.add(places, ["elsewhere"], { ttl: 60_000 });
  const waiting = await client.enqueue(other, "k");
  await seen("task.received");
  await client.enqueueMany(
    vain,
    Array.from({ length: 60 }, () => "vain"),
  );
  await unanswered.promise;
  await parts.state.remove(places, ["elsewhere"]);
  await waiting.result({ timeout: "10s" });
  expect(events.filter(({ type }) => type === "task.released")).toEqual([]);
});
