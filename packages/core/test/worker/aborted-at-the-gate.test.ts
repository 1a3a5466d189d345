import { expect, test } from "vitest";
import { defineTask, memory, type StateStore } from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

/** Lets the answers of a state store about limits wait, once told to. */
function slowLimits(state: StateStore): { readonly state: StateStore; readonly hold: () => Held } {
  let held: Held | undefined;
  const add: StateStore["add"] = async (key, ...rest) => {
    const answer = await state.add(key, ...rest);
    if (held === undefined || key[0] !== "limits") return answer;
    held.asked.open();
    await held.answers.promise;
    return answer;
  };
  return {
    state: { ...state, add },
    hold: () => {
      held = { asked: gate<void>(), answers: gate<void>() };
      return held;
    },
  };
}

interface Held {
  readonly asked: ReturnType<typeof gate<void>>;
  readonly answers: ReturnType<typeof gate<void>>;
}

const single = defineTask<string>("single", { limit: { key: (key) => key, concurrency: 1 } });
const watching = defineTask("watching");

/** A worker that asks about one task of a limit, and is about to be told. */
async function asking(isFree: boolean) {
  const broker = memory();
  const { state, hold } = slowLimits(broker.companions.state());
  const aborted = gate<void>();
  const started: string[] = [];
  const played = await stage(
    [
      single.handler((_, { id }) => void started.push(id)),
      watching.handler(async (_, { signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        aborted.open();
      }),
    ],
    { broker, state },
  );
  const { client, seen } = played;
  if (!isFree) await state.add(["limits", "single", "k:one", "places"], ["elsewhere"], { ttl: 60_000 });
  const watcher = await client.enqueue(watching);
  await seen("task.started", ({ id }) => id === watcher.id);
  const held = hold();
  const { id } = await client.enqueue(single, "one");
  await held.asked.promise;
  return {
    ...played,
    id,
    started,
    answer: held.answers.open,
    /** Resolves once the worker has heard of it. */
    cancel: async () => {
      await client.cancel([id, watcher.id], "not wanted");
      await aborted.promise;
    },
  };
}

test.each([
  ["is let in", true],
  ["begins to wait for a limit", false],
])("what is cancelled just as it %s ends at once, and never starts", async (_, isFree) => {
  const { client, cancel, answer, events, started, id } = await asking(isFree);
  await cancel();
  answer();
  expect(await client.handle(single, id).outcome({ timeout: "10s" })).toMatchObject({
    status: "cancelled",
    reason: "not wanted",
  });
  expect(started).not.toContain(id);
  expect(events.filter(({ type }) => type === "task.released")).toEqual([]);
});

test("nothing starts after a stop, though its gates let it in then", async () => {
  const { worker, seen, broker, answer, started, id } = await asking(true);
  const stopped = worker.stop();
  await seen("worker.stopping");
  answer();
  await seen("task.released", (event) => event.id === id);
  await stopped;
  expect(started).not.toContain(id);
  expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0 });
});

test("a broker that looks into dead letters alone cannot take back: each task is asked for before it starts", async () => {
  const broker = memory();
  const state = broker.companions.state();
  const deaf: StateStore = {
    ...state,
    watch: async function* (prefix, signal) {
      for await (const change of state.watch(prefix, signal)) if (change.type === "snapshot") yield change;
    },
  };
  const task = defineTask("quick");
  const { client, events, seen } = await stage([task.handler(() => undefined)], {
    broker: { ...broker, capabilities: { ...broker.capabilities, inspects: ["dead"] } },
    state: deaf,
  });
  await (await client.enqueue(task)).result();
  await client.enqueue(task, undefined, { id: "late", delay: 50 });
  await client.cancel(["late"]);
  await seen("task.cancelled", ({ id }) => id === "late");
  expect(events.filter(({ type }) => type === "task.started")).toHaveLength(1);
});

test("after a gap in what is heard of cancellations, each task is asked for before it starts", async () => {
  const broker = memory();
  const state = broker.companions.state();
  const lost = gate<void>();
  const told = gate<void>();
  const gappy: StateStore = {
    ...state,
    watch: async function* (prefix, signal) {
      if (prefix[0] !== "cancel") return yield* state.watch(prefix, signal);
      yield { type: "snapshot", entries: [] };
      await lost.promise;
      yield { type: "gap" };
      told.open();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    },
  };
  const task = defineTask("quick");
  const { client, events } = await stage([task.handler(() => undefined)], { broker, state: gappy });
  await (await client.enqueue(task)).result();
  await client.cancel(["late"]);
  lost.open();
  await told.promise;
  const late = await client.enqueue(task, undefined, { id: "late" });
  expect(await late.outcome({ timeout: "10s" })).toMatchObject({ status: "cancelled" });
  expect(events.filter(({ type }) => type === "task.started")).toHaveLength(1);
});
