import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countedLifecycle, monotonicNow } from "../src/index.ts";

/** A lifecycle whose openings and closings end when the test says so, and its log. */
function stage({ failures = 0 } = {}) {
  const log: string[] = [];
  const gates: Array<() => void> = [];
  let failuresLeft = failures;
  let active = 0;
  const step = async (name: string): Promise<void> => {
    active += 1;
    if (active > 1) throw new Error("Two steps at the same time.");
    log.push(name);
    await new Promise<void>((resolve) => gates.push(resolve));
    active -= 1;
    if (name !== "open" || failuresLeft === 0) return;
    failuresLeft -= 1;
    log.push("failed");
    throw new Error("out of reach");
  };
  const lifecycle = countedLifecycle({ open: () => step("open"), shut: () => step("shut") });
  /** Ends each step as soon as it begins, until the call is through. */
  const finish = async <T>(call: Promise<T>): Promise<T | "rejected"> => {
    let isDone = false;
    const done = call
      .then(
        (value) => value,
        () => "rejected" as const,
      )
      .finally(() => (isDone = true));
    while (!isDone) {
      gates.shift()?.();
      await Promise.resolve();
    }
    return done;
  };
  return { lifecycle, log, finish };
}

describe("countedLifecycle", () => {
  test("opens for the first owner and shuts after the last", async () => {
    const { lifecycle, log, finish } = stage();
    await finish(Promise.all([lifecycle.connect(), lifecycle.connect()]));
    expect(lifecycle.isOpen()).toBe(true);
    await finish(lifecycle.close());
    expect({ log, isOpen: lifecycle.isOpen() }).toEqual({ log: ["open"], isOpen: true });
    await finish(lifecycle.close());
    expect({ log, isOpen: lifecycle.isOpen() }).toEqual({ log: ["open", "shut"], isOpen: false });
  });

  test("opens again after the last close", async () => {
    const { lifecycle, log, finish } = stage();
    await finish(Promise.all([lifecycle.connect(), lifecycle.close(), lifecycle.connect()]));
    expect({ log, isOpen: lifecycle.isOpen() }).toEqual({ log: ["open", "shut", "open"], isOpen: true });
  });

  test("takes no close too many", async () => {
    const { lifecycle, log, finish } = stage();
    await finish(lifecycle.close());
    await finish(lifecycle.connect());
    await finish(Promise.all([lifecycle.close(), lifecycle.close(), lifecycle.close()]));
    await finish(lifecycle.connect());
    expect({ log, isOpen: lifecycle.isOpen() }).toEqual({ log: ["open", "shut", "open"], isOpen: true });
  });

  test("a failed opening rejects its call alone; the next opens again", async () => {
    const { lifecycle, log, finish } = stage({ failures: 1 });
    const calls = [lifecycle.connect(), lifecycle.connect()];
    expect(await finish(calls[0] as Promise<void>)).toBe("rejected");
    expect(await finish(calls[1] as Promise<void>)).toBeUndefined();
    expect(log).toEqual(["open", "failed", "open"]);
    await finish(lifecycle.close());
    expect(log.at(-1)).toBe("shut");
  });

  test("a close while an opening fails takes no later owner away", async () => {
    const { lifecycle, finish } = stage({ failures: 1 });
    const failing = lifecycle.connect();
    const closing = lifecycle.close();
    expect(await finish(failing)).toBe("rejected");
    await finish(closing);
    await finish(lifecycle.connect());
    expect(lifecycle.isOpen()).toBe(true);
  });

  test("a failed shut rejects, and leaves it closed", async () => {
    const lifecycle = countedLifecycle({
      open: async () => undefined,
      shut: () => Promise.reject(new Error("stuck")),
    });
    await lifecycle.connect();
    await expect(lifecycle.close()).rejects.toThrow("stuck");
    expect(lifecycle.isOpen()).toBe(false);
    await lifecycle.connect();
    expect(lifecycle.isOpen()).toBe(true);
  });

  test("whatever calls come at once: one step at a time, open and shut in turn, as many owners as it should have", async () => {
    const calls = fc.array(fc.constantFrom("connect" as const, "close" as const), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(calls, fc.nat(3), async (names, failures) => {
        const { lifecycle, log, finish } = stage({ failures });
        await finish(Promise.allSettled(names.map((name) => lifecycle[name]())));
        let owners = 0;
        let left = failures;
        for (const name of names) {
          if (name === "close") owners = Math.max(0, owners - 1);
          else if (owners === 0 && left > 0) left -= 1;
          else owners += 1;
        }
        expect(lifecycle.isOpen()).toBe(owners > 0);
        expect(
          log
            .join(" ")
            .replaceAll("open failed ", "")
            .replace(/open failed$/, ""),
        ).toMatch(/^(open shut ?)*(open)?\s*$/);
      }),
    );
  });

  test("can be disposed", async () => {
    const { lifecycle, log, finish } = stage();
    await finish(lifecycle.connect());
    await finish(Promise.resolve(lifecycle[Symbol.asyncDispose]()));
    expect(log).toEqual(["open", "shut"]);
  });
});

test("monotonicNow is near the wall clock and never goes back", () => {
  expect(Math.abs(monotonicNow() - Date.now())).toBeLessThan(10_000);
  let last = monotonicNow();
  for (let count = 0; count < 10_000; count += 1) {
    const now = monotonicNow();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
});
