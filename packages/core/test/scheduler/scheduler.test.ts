import { describe, expect, test, vi } from "vitest";
import { createScheduler, defineSchedule, defineTask, memory, type ScheduleOptions } from "../../src/index.ts";
import { eventually } from "../worker/setup.ts";
import { noon, schedulerStage } from "./setup.ts";

const report = defineTask<{ of: string }>("report");

const everySecond = (options: Omit<ScheduleOptions, "every" | "cron" | "at"> = {}) =>
  defineSchedule("tick", { every: "1s", ...options } as ScheduleOptions, report, { of: "day" });

describe("a scheduler", () => {
  test("enqueues at each nominal time, under an id that says which", async () => {
    const { start, clock, waiting } = await schedulerStage();
    await start([everySecond()]);
    for (const count of [1, 2, 3]) {
      clock.advance(1_000);
      await eventually(async () => expect(await waiting()).toHaveLength(count));
    }
    const [first] = await waiting();
    expect(first).toMatchObject({
      id: `schedule:tick:1:${noon + 1_000}`,
      task: "report",
      headers: { schedule: "tick", "schedule-time": "2026-05-01T12:00:01.000Z" },
    });
    expect(JSON.parse(Buffer.from(first?.body ?? []).toString())).toEqual({ of: "day" });
  });

  test("fires at 02:00 in Berlin", async () => {
    const { start, clock, fires } = await schedulerStage();
    await start([defineSchedule("nightly", { cron: "0 2 * * *", timeZone: "Europe/Berlin" }, report, { of: "day" })]);
    clock.jump(11.5 * 3_600_000);
    clock.advance(30_000);
    clock.jump(30 * 60_000 - 30_000);
    clock.advance(30_000);
    await eventually(async () => expect(await fires()).toEqual([12 * 3_600]));
  });

  test("of three fires each time once", async () => {
    const { start, clock, fires, events } = await schedulerStage();
    for (const _ of [1, 2, 3]) await start([everySecond()]);
    for (const second of [1, 2, 3, 4]) {
      clock.advance(1_000);
      await eventually(async () => expect(await fires()).toHaveLength(second));
    }
    expect(await fires()).toEqual([1, 2, 3, 4]);
    expect(events.filter(({ type }) => type === "schedule.fired")).toHaveLength(4);
  });

  test("claims each fire where the broker recognises nothing for as long as the grace", async () => {
    const { start, clock, fires, broker, client } = await schedulerStage(memory({ dedupeWindow: "1s" }));
    const publish = vi.spyOn(broker, "publish");
    for (const _ of [1, 2, 3]) await start([everySecond()]);
    clock.advance(1_000);
    await eventually(async () => expect(await fires()).toEqual([1]));
    await eventually(async () =>
      expect((await client.schedules.get("tick"))?.last?.time).toEqual(new Date(noon + 1_000)),
    );
    expect(publish.mock.calls.flatMap(([messages]) => messages)).toHaveLength(1);
  });

  test("needs a state store", async () => {
    const scheduler = createScheduler({ broker: memory(), state: false });
    await expect(scheduler.start()).rejects.toMatchObject({ code: "STATE_REQUIRED" });
    await scheduler.stop();
  });

  test("refuses two schedules of one id, and modules without any", async () => {
    const scheduler = createScheduler({
      broker: memory(),
      schedules: [everySecond(), everySecond(), "data:text/javascript,"],
    });
    await expect(scheduler.start()).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      problems: [expect.stringMatching(/exports no schedule/), expect.stringMatching(/two with "tick"/)],
    });
  });

  test("leaves a schedule in code to those that have it", async () => {
    const { start, clock, fires } = await schedulerStage();
    const first = await start([everySecond()]);
    await first.stop();
    await start([
      defineSchedule("other", { every: "1s", from: noon + 1_000, until: noon + 1_000 }, report, { of: "other" }),
    ]);
    clock.advance(1_000);
    await eventually(async () => expect(await fires()).toEqual([1]));
  });

  test("goes on where the definition is the same, and begins anew where the times are others", async () => {
    const { start, clock, fires, client } = await schedulerStage();
    await (await start([everySecond()])).stop();
    clock.advance(5_000);
    await (await start([everySecond()])).stop();
    await (await start([everySecond({ jitter: 0, from: noon })])).stop();
    expect(await client.schedules.list()).toMatchObject([{ id: "tick", source: "code", timing: { from: noon } }]);
    clock.advance(3_000);
    await start([everySecond({ from: noon })]);
    await eventually(async () => expect((await fires()).slice(-3)).toEqual([6, 7, 8]));
  });

  test("leaves out what can never be enqueued, and says why", async () => {
    const broker = memory({ maxMessageBytes: 600 });
    const { start, clock, client, events } = await schedulerStage(broker);
    await start([defineSchedule("large", { every: "1s" }, report, { of: "x".repeat(1_000) })]);
    clock.advance(1_000);
    await eventually(async () =>
      expect(await client.schedules.get("large")).toMatchObject({
        fault: { code: "MESSAGE_TOO_LARGE", time: new Date(noon + 1_000) },
      }),
    );
    expect(events).toContainEqual(expect.objectContaining({ type: "schedule.refused", schedule: "large" }));
  });

  test("spreads fires over the jitter, the same for every replica", async () => {
    const { start, clock, client } = await schedulerStage();
    await start([everySecond({ jitter: "1h" })]);
    clock.advance(1_000);
    await eventually(async () => expect(await client.queues.depth("default")).toMatchObject({ delayed: 1 }));
    const { entries } = await client.queues.list("default", { section: "delayed", limit: 10 });
    const { enqueuedAt = 0, notBefore = 0 } = entries[0]?.message ?? {};
    expect(notBefore - enqueuedAt).toBeGreaterThan(0);
    expect(notBefore - enqueuedAt).toBeLessThan(3_600_000);
  });
});

/** Every second, a grace of 5 seconds, nobody there for 30. */
describe("misfires after an outage of 30 seconds", () => {
  const seconds = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
  test.each([
    { misfire: { policy: "skip" }, expected: seconds(25, 30) },
    { misfire: { policy: "once" }, expected: seconds(24, 30) },
    { misfire: {}, expected: seconds(24, 30) },
    { misfire: { policy: "all", max: 10 }, expected: seconds(15, 30) },
    { misfire: { policy: "all" }, expected: seconds(1, 30) },
  ] as const)("$misfire", async ({ misfire, expected }) => {
    const { start, clock, fires, client, events } = await schedulerStage();
    const schedule = everySecond({ misfire: { grace: "5s", ...misfire } });
    await (await start([schedule])).stop();
    clock.advance(30_000);
    for (const _ of [1, 2, 3]) await start([schedule]);
    await eventually(async () =>
      expect((await client.schedules.get("tick"))?.last?.time).toEqual(new Date(noon + 30_000)),
    );
    expect(await fires()).toEqual(expected);
    await eventually(() =>
      expect(events).toContainEqual(
        expect.objectContaining({ type: "schedule.missed", schedule: "tick", since: noon + 1_000 }),
      ),
    );
  });

  test("a year of them is skipped at once", async () => {
    const { start, clock, fires } = await schedulerStage();
    const schedule = everySecond({ misfire: { policy: "all", max: 3, grace: 0 } });
    await (await start([schedule])).stop();
    clock.advance(365 * 86_400_000);
    await start([schedule]);
    await eventually(async () => expect(await fires()).toHaveLength(4));
    const year = 365 * 86_400;
    expect(await fires()).toEqual([year - 3, year - 2, year - 1, year]);
  });
});

describe("a wall clock that jumps fires nothing twice", () => {
  test("an hour back", async () => {
    const { start, clock, fires, events } = await schedulerStage();
    await start([everySecond()]);
    clock.advance(1_000);
    await eventually(async () => expect(await fires()).toEqual([1]));
    clock.jump(-3_600_000);
    for (let step = 0; step < 60; step += 1) clock.advance(1_000);
    clock.jump(3_600_000 - 60_000);
    clock.advance(30_000);
    await eventually(async () => expect((await fires()).at(-1)).toBe(31));
    const made = await fires();
    expect(new Set(made).size).toBe(made.length);
    expect(events.filter(({ type }) => type === "schedule.fired")).toHaveLength(made.length);
  });

  test("an hour forward, and back again", async () => {
    const { start, clock, fires } = await schedulerStage();
    await start([everySecond({ misfire: { grace: "2s" } })]);
    clock.jump(3_600_000);
    clock.advance(30_000);
    const last = 3_630;
    await eventually(async () => expect((await fires()).at(-1)).toBe(last));
    expect(await fires()).toEqual([last - 3, last - 2, last - 1, last]);
    clock.jump(-3_600_000);
    for (let step = 0; step < 60; step += 1) clock.advance(1_000);
    clock.jump(3_600_000 - 60_000);
    clock.advance(1_000);
    await eventually(async () => expect((await fires()).at(-1)).toBe(last + 1));
    expect(await fires()).toHaveLength(5);
  });
});
