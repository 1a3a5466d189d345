import { describe, expect, expectTypeOf, onTestFinished, test } from "vitest";
import { type BackgroundSetup, createBackground, type Handle, silentLogger } from "../src/index.ts";
import { gate } from "./worker/setup.ts";

async function open(setup: BackgroundSetup = {}) {
  const made = await createBackground({ logger: silentLogger, ...setup });
  onTestFinished(() => made.close({ timeout: 0 }));
  return made;
}

/** What was logged as a warning or an error. */
function complaints() {
  const lines: (readonly [string, object])[] = [];
  const note = (fields: object, message: string): void => void lines.push([message, fields]);
  const logger = { ...silentLogger, warn: note, error: note, child: () => logger };
  return { logger, lines };
}

describe("background", () => {
  test("runs in this process, and gives the handle of an enqueue", async () => {
    const { background, handle } = await open();
    const done = await background(async ({ progress, id, attempt }) => {
      progress(1, "done");
      return { id, attempt, pid: process.pid };
    });
    expectTypeOf(done).toEqualTypeOf<Handle<{ id: string; attempt: number; pid: number }>>();
    expect(await done.result()).toEqual({ id: done.id, attempt: 0, pid: process.pid });
    const steps: unknown[] = [];
    for await (const { value, note } of done.progress()) steps.push({ value, note });
    expect(steps).toEqual([{ value: 1, note: "done" }]);
    expect(await handle(done.id).get()).toMatchObject({ status: "succeeded" });
    expect(await handle("nowhere").get()).toMatchObject({ status: "unknown" });
  });

  test("a failure is an outcome, is logged, and leaves nothing behind", async () => {
    const { logger, lines } = complaints();
    const { background } = await open({ logger });
    let runs = 0;
    const flaky = await background(
      () => {
        runs += 1;
        throw new RangeError("boom");
      },
      { retry: { attempts: 2, backoff: { from: 0, to: 0 } } },
    );
    expect(await flaky.outcome()).toMatchObject({ status: "failed", attempt: 2, error: { name: "RangeError" } });
    expect(runs).toBe(2);
    await background(() => undefined).then((handle) => handle.result());
    expect(lines).toMatchObject([
      ["the task failed and is retried", { id: flaky.id }],
      ["the task failed", { id: flaky.id, error: { message: "boom" } }],
    ]);
  });

  test("has a timeout, and can be cancelled while it runs", async () => {
    const { background } = await open();
    const wait = ({ signal }: { readonly signal: AbortSignal }): Promise<void> =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const late = await background(wait, { timeout: 20 });
    expect(await late.outcome()).toMatchObject({ status: "failed", error: { code: "TASK_TIMED_OUT" } });
    const started = gate();
    const unwanted = await background((context) => {
      started.open();
      return wait(context);
    });
    await started.promise;
    await unwanted.cancel("changed my mind");
    expect(await unwanted.outcome()).toMatchObject({ status: "cancelled", reason: "changed my mind" });
  });

  test("with `after` it waits for that, however it settles", async () => {
    const { background } = await open();
    const answered = gate();
    const notes: string[] = [];
    const handle = await background(() => notes.push("ran"), { after: answered.promise });
    const other = await background(() => notes.push("ran"), { after: Promise.reject(new Error("cut off")) });
    await other.result();
    expect(notes).toHaveLength(1);
    expect(await handle.get()).toMatchObject({ status: "pending" });
    answered.open();
    expect(await handle.result()).toBe(2);
  });

  test("what waits for `after` can be cancelled, and never runs", async () => {
    const { background } = await open();
    const answered = gate();
    let runs = 0;
    const handle = await background(() => (runs += 1), { after: answered.promise });
    await handle.cancel();
    answered.open();
    expect(await handle.outcome()).toMatchObject({ status: "cancelled" });
    expect(runs).toBe(0);
  });

  test("what is wrong is refused at once, also where it is to run later", async () => {
    const { background } = await open();
    const after = Promise.resolve();
    await expect(background("no function" as never)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(background(() => 1, { after, timeout: "soon" as never })).rejects.toMatchObject({
      code: "DURATION_INVALID",
    });
  });

  test("a close runs what is there, and takes no more", async () => {
    const { background, close } = await open({ concurrency: 1 });
    const ends: number[] = [];
    const answered = gate();
    for (let index = 0; index < 20; index += 1)
      await background(
        async () => {
          await new Promise(setImmediate);
          ends.push(index);
        },
        index === 19 ? { after: answered.promise } : {},
      );
    const closed = close();
    await expect(background(() => 1)).rejects.toMatchObject({ code: "CLOSED" });
    answered.open();
    await closed;
    expect(ends).toHaveLength(20);
  });

  test("what does not end in time is aborted, and what is lost is logged", async () => {
    const { logger, lines } = complaints();
    const { background, close } = await open({ logger });
    const { promise: aborted, open: abort } = gate<string>();
    const started = gate();
    await background(({ signal }) => {
      started.open();
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          abort(signal.reason.code);
          resolve(undefined);
        });
      });
    });
    await background(() => 1, { delay: "1h" });
    await started.promise;
    await close({ timeout: 10 });
    expect(await aborted).toBe("WORKER_STOPPING");
    expect(lines).toEqual([["work in the background was lost", { count: 1 }]]);
  });
});
