import { createScheduler, defineSchedule, defineTask, silentLogger } from "@taskferry/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestApp, fakeClock } from "../../src/users.ts";

const note = defineTask<string, void>("note", { retry: { attempts: 4, backoff: { from: "10m", to: "1h" } } });

async function clocked() {
  const clock = fakeClock({ now: new Date("2026-01-01T00:00:00Z") });
  const ran: string[] = [];
  const handler = note.handler((text, { attempt }) => {
    ran.push(`${text} ${new Date().toISOString().slice(11, 16)}`);
    if (text === "flaky" && attempt < 2) throw new Error("not yet");
  });
  const app = await createTestApp({ handlers: [handler] });
  onTestFinished(async () => {
    await app.close();
    clock.restore();
  });
  return { clock, app, ran };
}

describe("fakeClock", () => {
  test("a delay ends when the clock says so", async () => {
    const { clock, app, ran } = await clocked();
    await app.client.enqueue(note, "later", { delay: "2h" });
    await app.client.enqueue(note, "at", { at: new Date("2026-01-01T01:00:00Z") });
    await clock.advance("59m");
    expect(ran).toEqual([]);
    await clock.advance("1m");
    expect(ran).toEqual(["at 01:00"]);
    await clock.advance("1d");
    expect(ran).toEqual(["at 01:00", "later 02:00"]);
    expect(clock.now).toBe(Date.parse("2026-01-02T01:00:00Z"));
  });

  test("retries come with their backoff", async () => {
    const { clock, app, ran } = await clocked();
    const handle = await app.client.enqueue(note, "flaky");
    await clock.advance("0s");
    expect(ran).toHaveLength(1);
    await clock.advance("1h");
    expect(ran).toHaveLength(3);
    expect(await handle.get()).toMatchObject({ status: "succeeded", attempt: 2 });
  });

  test("a task expires", async () => {
    const { clock, app, ran } = await clocked();
    const handle = await app.client.enqueue(note, "stale", { delay: "1h", expires: 0 });
    await clock.advance("2h");
    expect(ran).toEqual([]);
    expect(await handle.get()).toMatchObject({ status: "cancelled", code: "TASK_EXPIRED" });
  });

  test("schedules fire, in the time zone that they name", async () => {
    const { clock, app, ran } = await clocked();
    const nightly = defineSchedule("nightly", { cron: "0 3 * * *", timeZone: "Europe/Paris" }, note, "nightly");
    const often = defineSchedule("often", { every: "8h" }, note, "often");
    const schedules = [nightly, often];
    await using scheduler = createScheduler({ broker: app.broker, schedules, logger: silentLogger });
    await scheduler.start();
    await clock.advance("1d");
    expect(ran.filter((line) => line.startsWith("nightly"))).toEqual(["nightly 02:00"]);
    expect(ran.filter((line) => line.startsWith("often"))).toHaveLength(3);
    await clock.advance("2d");
    expect(ran.filter((line) => line.startsWith("nightly"))).toHaveLength(3);
  });

  test("restore gives the time back", () => {
    const before = Date.now();
    const clock = fakeClock({ now: 0 });
    expect(Date.now()).toBe(0);
    clock.restore();
    expect(Date.now()).toBeGreaterThanOrEqual(before);
  });
});
