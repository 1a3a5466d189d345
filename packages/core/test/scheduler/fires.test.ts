import { describe, expect, test, vi } from "vitest";
import {
  createClient,
  defineSchedule,
  defineTask,
  jsonSerializer,
  memory,
  memoryState,
  type ScheduleOptions,
} from "../../src/index.ts";
import { eventually, gate, stage } from "../worker/setup.ts";

const job = defineTask("job");
const far = Date.now() + 86_400_000;

/** A schedule that is triggered by hand alone. */
const byHand = (options: Omit<ScheduleOptions, "every" | "cron" | "at"> = {}, task = job) =>
  defineSchedule("by-hand", { at: far, ...options } as ScheduleOptions, task);

/** A message as a scheduler publishes it. */
const fire = (id: string, hop = 0) => ({
  message: {
    id,
    run: 0,
    hop,
    task: "job",
    queue: "default",
    attempt: 0,
    enqueuedAt: Date.now(),
    contentType: "application/json",
    headers: { schedule: "twice", "schedule-time": new Date().toISOString() },
    body: jsonSerializer().serialize(undefined),
  },
});

describe("the fires of a schedule", () => {
  test("know their schedule and their nominal time", async () => {
    const onJob = job.handler((_, { headers }) => void seen.open(headers));
    const seen = gate<Readonly<Record<string, string>>>();
    const { client } = await stage([onJob]);
    await client.schedules.create(byHand({ enqueue: { headers: { own: "yes" } } }));
    await client.schedules.trigger("by-hand");
    expect(await seen.promise).toEqual({
      own: "yes",
      schedule: "by-hand",
      "schedule-time": expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });

  test("are executed once, though two messages of one come", async () => {
    const runs: string[] = [];
    const started = gate();
    const end = gate();
    const onJob = job.handler(async (_, { id }) => {
      runs.push(id);
      started.open();
      await end.promise;
    });
    const { broker, seen } = await stage([onJob]);
    await broker.publish([fire("schedule:twice:1:5")], { timeout: 1_000 });
    await started.promise;
    // A hop of its own: the broker takes it for another message.
    await broker.publish([fire("schedule:twice:1:5", 9)], { timeout: 1_000 });
    await seen("task.retrying");
    end.open();
    await seen("task.succeeded");
    await seen("task.repeated");
    expect(runs).toEqual(["schedule:twice:1:5"]);
  });

  test("overlap unless they are told not to", async () => {
    const end = gate();
    const both = gate();
    let running = 0;
    const onJob = job.handler(async () => {
      running += 1;
      if (running === 2) both.open();
      await end.promise;
    });
    const { client } = await stage([onJob]);
    await client.schedules.create(byHand());
    await client.schedules.trigger("by-hand");
    await client.schedules.trigger("by-hand");
    await both.promise;
    end.open();
  });

  test("that must not overlap are skipped while another goes on, its retries included", async () => {
    const unsteady = defineTask("unsteady", { retry: { attempts: 2, backoff: { from: "1s", to: "1s" } } });
    const started = gate();
    const end = gate();
    const onUnsteady = unsteady.handler(async (_, { attempt }) => {
      if (attempt === 0) throw new Error("not yet");
      started.open();
      await end.promise;
    });
    const { client, seen } = await stage([onUnsteady]);
    await client.schedules.create(byHand({ overlap: "skip" }, unsteady));
    const first = await client.schedules.trigger("by-hand");
    await seen("task.retrying");
    const between = await client.schedules.trigger("by-hand");
    expect(await between.outcome()).toMatchObject({ status: "cancelled", reason: expect.stringMatching(/overlap/) });
    await started.promise;
    const beside = await client.schedules.trigger("by-hand");
    expect(await beside.outcome()).toMatchObject({ status: "cancelled" });
    end.open();
    expect(await first.outcome()).toMatchObject({ status: "succeeded" });
    // Its turn is given back a moment after its outcome is there; the next fire fails once as well, and is retried.
    await eventually(async () => {
      const after = await client.schedules.trigger("by-hand");
      expect(await after.outcome()).toMatchObject({ status: "succeeded" });
    });
  });

  test("that must not overlap wait for each other where the schedule says so", async () => {
    let [running, most] = [0, 0];
    const end = gate();
    const onJob = job.handler(async () => {
      running += 1;
      most = Math.max(most, running);
      await end.promise;
      running -= 1;
    });
    const { client, seen } = await stage([onJob]);
    await client.schedules.create(byHand({ overlap: "queue" }));
    const handles = [await client.schedules.trigger("by-hand"), await client.schedules.trigger("by-hand")];
    await seen("task.started");
    await seen("task.retrying");
    end.open();
    for (const handle of handles) expect(await handle.outcome()).toMatchObject({ status: "succeeded" });
    expect(most).toBe(1);
  });

  test("leave nothing that stops the next behind when a worker stops in the middle", async () => {
    const started = gate();
    const onJob = job.handler((_, { signal }) => {
      started.open();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const broker = memory();
    const { client, worker } = await stage([onJob], { broker, lease: "30s" });
    await client.schedules.create(byHand({ overlap: "skip" }));
    const handle = await client.schedules.trigger("by-hand");
    await started.promise;
    await worker.stop({ timeout: 0 });
    await stage([job.handler(() => undefined)], { broker });
    expect(await handle.outcome()).toMatchObject({ status: "succeeded" });
  });

  test("wait while the state store is out of reach", async () => {
    const state = memoryState();
    const onJob = job.handler(() => undefined);
    const { client, seen } = await stage([onJob], { state });
    const put = vi.spyOn(state, "put").mockRejectedValueOnce(new Error("away"));
    await client.schedules.create(byHand());
    const handle = await client.schedules.trigger("by-hand");
    await seen("task.retrying");
    expect(await handle.outcome()).toMatchObject({ status: "succeeded" });
    expect(put).toHaveBeenCalled();
  });
});

describe("client.schedules", () => {
  test("creates, lists, pauses, resumes, updates and removes", async () => {
    await using client = await createClient({ broker: memory() });
    const { schedules } = client;
    expect(await schedules.list()).toEqual([]);
    const info = await schedules.create(defineSchedule("hourly", { every: "1h" }, job));
    expect(info).toMatchObject({ id: "hourly", task: "job", queue: "default", source: "client", isPaused: false });
    expect(info.next?.getTime()).toBeGreaterThan(Date.now());
    expect(await schedules.list()).toEqual([info]);
    expect(await schedules.pause("hourly")).toMatchObject({ isPaused: true, next: undefined });
    expect(await schedules.resume("hourly")).toMatchObject({ isPaused: false, next: info.next });
    const updated = await schedules.update(defineSchedule("hourly", { every: "2h", overlap: "skip" }, job));
    expect(updated).toMatchObject({ timing: { every: 7_200_000 }, policy: { overlap: "skip" } });
    expect(await schedules.get("hourly")).toEqual(updated);
    const upcoming = await schedules.upcoming("hourly", 3);
    expect(upcoming.map((time) => time.getTime() - (upcoming[0]?.getTime() ?? 0))).toEqual([0, 7_200_000, 14_400_000]);
    expect(await schedules.remove("hourly")).toBe(true);
    expect(await schedules.remove("hourly")).toBe(false);
    expect(await schedules.get("hourly")).toBeUndefined();
  });

  test("triggers a paused one, and remembers it as the last", async () => {
    const { client } = await stage([job.handler(() => undefined)]);
    await client.schedules.create(byHand());
    await client.schedules.pause("by-hand");
    const handle = await client.schedules.trigger("by-hand");
    expect(await handle.outcome()).toMatchObject({ status: "succeeded" });
    expect(await client.schedules.get("by-hand")).toMatchObject({ last: { id: handle.id }, isPaused: true });
  });

  test.each(["pause", "resume", "trigger"] as const)("%s of one that is not there", async (call) => {
    await using client = await createClient({ broker: memory() });
    await expect(client.schedules[call]("nobody")).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
    await expect(client.schedules.upcoming("nobody", 1)).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
    await expect(client.schedules.update(defineSchedule("nobody", { every: "1s" }, job))).rejects.toMatchObject({
      code: "SCHEDULE_UNKNOWN",
    });
  });

  test("refuses an id twice, and what has no time to come", async () => {
    await using client = await createClient({ broker: memory() });
    await client.schedules.create(byHand());
    await expect(client.schedules.create(byHand())).rejects.toMatchObject({ code: "SCHEDULE_EXISTS" });
    await expect(client.schedules.create(defineSchedule("past", { at: 0 }, job))).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/all is past/),
    });
  });

  test("needs a state store", async () => {
    await using client = await createClient({ broker: memory(), state: false as boolean as false });
    const { list } = client.schedules as unknown as { readonly list: () => Promise<unknown> };
    await expect(list()).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });
});

describe("defineSchedule refuses", () => {
  test.each([
    ["no time at all", {}],
    ["two kinds of time", { cron: "* * * * *", every: "1s" }],
    ["a zone without cron", { every: "1s", timeZone: "UTC" }],
    ["less than a second", { every: "100ms" }],
    ["a date that is none", { at: new Date("tomorrow") }],
    ["an end before its start", { every: "1s", from: 2_000, until: 1_000 }],
    ["an unknown misfire policy", { every: "1s", misfire: { policy: "most" } }],
    ["an unknown overlap", { every: "1s", overlap: "never" }],
    ["too many to make up for", { every: "1s", misfire: { max: 1_001 } }],
    ["options of its task out of range", { every: "1s", enqueue: { priority: 10 } }],
  ])("%s", (_, options) => {
    expect(() => defineSchedule("x", options as unknown as ScheduleOptions, job)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/^schedule x/) }),
    );
  });

  test("an overlap of a broadcast, since every worker runs it", () => {
    const all = defineTask("all", { broadcast: true });
    expect(() => defineSchedule("x", { every: "1s", overlap: "skip" }, all)).toThrow(/broadcast/);
  });
});
