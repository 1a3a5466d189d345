import { describe, expect, test } from "vitest";
import { type Broker, defineTask, memory, memoryState, type StateStore } from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

const job = defineTask<void, string>("job", { claim: true, retry: { attempts: 2, backoff: { from: 1, to: 1 } } });

/** A broker and a state store that several workers share, and what another worker would write. */
async function shared(): Promise<{
  readonly broker: Broker;
  readonly state: StateStore;
  claimElsewhere(id: string, claim: { readonly isDone?: boolean; readonly ttl?: number }): Promise<unknown>;
}> {
  const state = memoryState();
  await state.connect();
  return {
    broker: memory(),
    state,
    claimElsewhere: (id, { isDone = false, ttl = 60_000 }) => {
      const value = Buffer.from(JSON.stringify({ run: 0, holder: "elsewhere", isDone }));
      return state.put([{ key: ["claims", id], value, ttl }]);
    },
  };
}

/** A handler that tells how often it has run. */
function counted() {
  const runs: string[] = [];
  const handler = job.handler(() => {
    runs.push(`run ${runs.length + 1}`);
    return runs.at(-1) as string;
  });
  return { runs, handler };
}

describe("a task with a claim", () => {
  test("that runs elsewhere waits, and is acknowledged unrun once it has ended there", async () => {
    const { claimElsewhere, ...parts } = await shared();
    const { runs, handler } = counted();
    const { client, seen, worker } = await stage([handler], { ...parts, lease: 500, results: false });
    await claimElsewhere("one", {});
    await client.enqueue(job, undefined, { id: "one" });
    await seen("task.received");
    const other = await client.enqueue(job, undefined, { id: "other" });
    await seen("task.succeeded", ({ id }) => id === other.id);
    expect(worker.status().running).toBe(0);
    await claimElsewhere("one", { isDone: true });
    await seen("task.repeated", ({ id }) => id === "one");
    expect(runs).toEqual(["run 1"]);
    expect(await client.queues.depth("default")).toMatchObject({ ready: 0, delayed: 0 });
  });

  test("whose claim ends with its worker runs here", async () => {
    const { claimElsewhere, ...parts } = await shared();
    const { runs, handler } = counted();
    const { client } = await stage([handler], { ...parts, lease: 500 });
    await claimElsewhere("one", { ttl: 200 });
    expect(await (await client.enqueue(job, undefined, { id: "one" })).result({ timeout: "10s" })).toBe("run 1");
    expect(runs).toEqual(["run 1"]);
  });

  test("that loses its claim hears so, and what it returns counts for nothing", async () => {
    const { claimElsewhere, state, broker } = await shared();
    const reasons: string[] = [];
    const end = gate();
    const handler = job.handler(async (_, { signal }) => {
      if (reasons.length > 0) return "by the other";
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason.code);
        end.open();
      });
      await end.promise;
      return "by the first";
    });
    const { client, seen } = await stage([handler], { state, broker, lease: 300 });
    const handle = await client.enqueue(job, undefined, { id: "one" });
    await seen("task.started");
    await claimElsewhere("one", {});
    await seen("task.released");
    expect(reasons).toEqual(["LEASE_LOST"]);
    await state.delete([{ key: ["claims", "one"] }]);
    expect(await handle.result({ timeout: "10s" })).toBe("by the other");
  });

  test("that lost its claim and has not heard so yet is refused all the same", async () => {
    const { claimElsewhere, state, broker } = await shared();
    const end = gate();
    const { client, seen, events } = await stage([job.handler(() => end.promise.then(() => "too late"))], {
      state,
      broker,
    });
    await client.enqueue(job, undefined, { id: "one" });
    await seen("task.started");
    await claimElsewhere("one", { isDone: true });
    end.open();
    await seen("task.repeated");
    expect(events.map(({ type }) => type)).not.toContain("task.succeeded");
  });

  test("is tried again, and replayed with a new run, and then it is over", async () => {
    const parts = await shared();
    let runs = 0;
    const handler = job.handler((_, { attempt }) => {
      runs += 1;
      if (runs < 3) throw new Error("as told");
      return `run ${runs}, attempt ${attempt}`;
    });
    const { client } = await stage([handler], { broker: parts.broker, state: parts.state });
    const handle = await client.enqueue(job, undefined, { id: "one" });
    await expect(handle.result({ timeout: "10s" })).rejects.toMatchObject({ code: "TASK_FAILED" });
    expect(runs).toBe(2);
    await expect.poll(async () => (await client.deadLetters.list("default")).entries.length).toBe(1);
    await client.deadLetters.replay("default", { task: "job" });
    await expect.poll(() => runs).toBe(3);
    const claim = async (): Promise<unknown> => {
      const [entry] = await parts.state.get([["claims", "one"]]);
      return JSON.parse(Buffer.from(entry?.value ?? []).toString());
    };
    await expect.poll(claim).toMatchObject({ run: 1, isDone: true });
  });

  test("goes on to its limit once it has waited for its claim", async () => {
    const { claimElsewhere, state, broker } = await shared();
    const both = defineTask<void, string>("both", { claim: true, limit: { concurrency: 1 } });
    const end = gate();
    let isFirst = true;
    const handler = both.handler(async () => {
      if (isFirst) {
        isFirst = false;
        await end.promise;
        return "first";
      }
      return "second";
    });
    const { client, seen } = await stage([handler], { broker, state, lease: 500 });
    const first = await client.enqueue(both, undefined, { id: "first" });
    await seen("task.started");
    await claimElsewhere("second", { ttl: 200 });
    const second = await client.enqueue(both, undefined, { id: "second" });
    await seen("task.received", ({ id }) => id === "second");
    const claimed = async (): Promise<boolean> => {
      const [entry] = await state.get([["claims", "second"]]);
      return entry !== undefined && !Buffer.from(entry.value).toString().includes("elsewhere");
    };
    await expect.poll(claimed).toBe(true);
    end.open();
    expect(await first.result({ timeout: "10s" })).toBe("first");
    expect(await second.result({ timeout: "10s" })).toBe("second");
  });
});

describe("a claim that cannot be kept", () => {
  test("is refused at start without a state store", async () => {
    await expect(stage([job.handler(() => "ran")], { state: false })).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });

  test.each([{ claim: "yes" as never }, { claim: true, acknowledge: "received" } as const])(
    "is refused at its definition: %j",
    (options) => {
      expect(() => defineTask("claimed", options)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    },
  );

  test("is refused for a broadcast", () => {
    expect(() => defineTask("claimed", { broadcast: true, claim: true } as never)).toThrow("broadcast");
  });
});
