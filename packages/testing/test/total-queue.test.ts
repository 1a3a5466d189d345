import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  assertTotalQueue,
  checkHistory,
  type HistoryEvent,
  type HistoryEventName,
  judge,
  openHistory,
  reportVerdict,
  spawnProcess,
} from "../src/index.ts";

function happened(event: HistoryEventName, id: string): HistoryEvent {
  return { event, id, at: 1 };
}

/** The life of one task on a queue without fault, in one of the ways it can go. */
type Way = "cancelled" | "dead" | "executed" | "refused" | "unknown" | "unknownButExecuted";

const lives: Readonly<Record<Way, readonly HistoryEventName[]>> = {
  executed: ["attempted", "acknowledged", "started", "executed", "stored"],
  cancelled: ["attempted", "acknowledged", "cancelled"],
  dead: ["attempted", "acknowledged", "started", "started", "dead"],
  refused: ["attempted"],
  unknown: ["attempted", "unknown"],
  unknownButExecuted: ["attempted", "unknown", "executed"],
};

const ways = fc.constantFrom(...(Object.keys(lives) as Way[]));
const ids = fc.string({ minLength: 1, maxLength: 8, unit: "binary" });

/** Faultless tasks by id, and a seed by which the events of all are shuffled: the order must not matter. */
const faultless = fc.dictionary(ids, ways, { minKeys: 1, maxKeys: 30 });

function eventsOf(tasks: Readonly<Record<string, Way>>): HistoryEvent[] {
  return Object.entries(tasks).flatMap(([id, way]) => lives[way].map((name) => happened(name, id)));
}

function shuffled(events: readonly HistoryEvent[]): fc.Arbitrary<HistoryEvent[]> {
  return fc.shuffledSubarray([...events], { minLength: events.length });
}

const history = faultless.chain((tasks) => shuffled(eventsOf(tasks)).map((events) => ({ tasks, events })));

/** A history and one of its tasks that went that way. */
function historyWith(way: Way): fc.Arbitrary<{ events: HistoryEvent[]; id: string }> {
  return fc
    .tuple(faultless, ids)
    .chain(([tasks, id]) => shuffled(eventsOf({ ...tasks, [id]: way })).map((events) => ({ events, id })));
}

describe("the verdict", () => {
  test("finds no fault where there is none, whatever the order", () => {
    fc.assert(
      fc.property(history, ({ tasks, events }) => {
        const verdict = judge(events);
        expect(verdict).toMatchObject({ lost: [], fromNowhere: [], duplicates: [] });
        expect(verdict.attempted).toBe(Object.keys(tasks).length);
        const waysTaken = Object.values(tasks);
        expect(verdict.acknowledged).toBe(waysTaken.filter((way) => lives[way].includes("acknowledged")).length);
        expect(verdict.executed).toBe(waysTaken.filter((way) => lives[way].includes("executed")).length);
      }),
    );
  });

  test("finds a planted loss", () => {
    fc.assert(
      fc.property(historyWith("executed"), ({ events, id }) => {
        const left = events.filter((event) => event.id !== id || event.event !== "executed");
        expect(judge(left)).toMatchObject({ lost: [id], fromNowhere: [], duplicates: [] });
      }),
    );
  });

  test("finds a planted loss of a task that is among the dead letters or cancelled no more", () => {
    fc.assert(
      fc.property(fc.constantFrom<Way>("cancelled", "dead").chain(historyWith), ({ events, id }) => {
        const left = events.filter((event) => event.id !== id || !["cancelled", "dead"].includes(event.event));
        expect(judge(left).lost).toEqual([id]);
      }),
    );
  });

  test("finds a planted duplicate and counts it", () => {
    fc.assert(
      fc.property(historyWith("executed"), fc.integer({ min: 1, max: 4 }), ({ events, id }, more) => {
        const again = Array.from({ length: more }, () => happened("executed", id));
        expect(judge([...again, ...events])).toMatchObject({
          lost: [],
          fromNowhere: [],
          duplicates: [{ id, executions: more + 1 }],
        });
      }),
    );
  });

  test("finds a planted phantom", () => {
    fc.assert(
      fc.property(historyWith("executed"), ({ events, id }) => {
        const left = events.filter((event) => event.id !== id || event.event !== "attempted");
        expect(judge(left)).toMatchObject({ lost: [], fromNowhere: [id], duplicates: [] });
      }),
    );
  });
});

describe("a history on disk", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "taskferry-history-"));
  });

  afterEach(() => rm(directory, { recursive: true }));

  test("keeps every event, of many writers, with any id", async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ events }) => {
        const inner = await mkdtemp(join(directory, "run-"));
        const writers = [openHistory(inner), openHistory(inner), openHistory(inner, "worker")];
        for (const [index, { event, id }] of events.entries()) writers[index % writers.length]?.record(event, id);
        for (const writer of writers) writer.close();
        const verdict = await checkHistory(inner);
        const expected = judge(events);
        expect({ ...verdict, lost: verdict.lost.toSorted() }).toEqual({ ...expected, lost: expected.lost.toSorted() });
      }),
      { numRuns: 30 },
    );
  });

  test("survives kill -9 of its writers in the midst of writing", async () => {
    const recorders = await Promise.all(
      ["a", "b", "c"].map((name) =>
        spawnProcess<{ type: "recorded" }>(new URL("./fixtures/history-recorder.ts", import.meta.url), {
          args: [directory, name],
        }),
      ),
    );
    try {
      await Promise.all(recorders.map((recorder) => recorder.waitFor("recorded")));
    } finally {
      await Promise.all(recorders.map((recorder) => recorder.kill()));
    }

    const verdict = await checkHistory(directory);
    expect(verdict.executed).toBeGreaterThan(3_000);
    expect(verdict).toMatchObject({ fromNowhere: [], duplicates: [] });
    // Each was killed between two records of one task at most, so each can have left one task half told.
    expect(verdict.lost.length).toBeLessThanOrEqual(3);
    expect(verdict.attempted - verdict.executed).toBeLessThanOrEqual(3);
  });

  test("takes a torn last line as never written, at whatever byte it is torn", async () => {
    const writer = openHistory(directory);
    writer.record("attempted", "whole");
    writer.record("acknowledged", "tärn");
    writer.close();
    const whole = await readFile(writer.path);
    const firstLine = whole.indexOf("\n") + 1;
    for (let length = firstLine; length < whole.length; length += 1) {
      await writeFile(writer.path, whole.subarray(0, length));
      expect(await checkHistory(directory)).toMatchObject({ attempted: 1, acknowledged: 0 });
    }
  });

  test.each([
    ["no JSON", "attempted a\n"],
    ["an unknown event", '{"at":1,"event":"eaten","id":"a"}\n'],
    ["no id", '{"at":1,"event":"executed"}\n'],
    ["nothing", "\n"],
  ])("refuses a line with %s, and says where it is", async (_, line) => {
    const writer = openHistory(directory);
    writer.record("attempted", "a");
    await appendFile(writer.path, line);
    writer.record("executed", "a");
    writer.close();
    await expect(checkHistory(directory)).rejects.toMatchObject({
      code: "HISTORY_BROKEN",
      message: expect.stringContaining(`line 2 of ${writer.path}`),
    });
  });

  test("is asserted upon", async () => {
    using writer = openHistory(directory);
    await expect(assertTotalQueue(directory)).rejects.toThrow("Expected tasks to be acknowledged, found none.");
    for (const name of lives.executed) writer.record(name, "fine");
    expect(await assertTotalQueue(directory)).toMatchObject({ acknowledged: 1, executed: 1 });

    writer.record("executed", "fine");
    writer.record("executed", "fine");
    expect(await assertTotalQueue(directory, { repeats: 2 })).toMatchObject({
      duplicates: [{ id: "fine", executions: 3 }],
    });
    await expect(assertTotalQueue(directory, { repeats: 1 })).rejects.toThrow(
      "Expected at most 1 repeated executions, got 2.",
    );

    for (let n = 0; n < 12; n += 1) writer.record("acknowledged", `lost-${n}`);
    writer.record("executed", "phantom");
    const failure = await assertTotalQueue(directory, { repeats: 2 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "AssertionError", actual: { fromNowhere: ["phantom"] } });
    expect(String(failure)).toContain("lost 12: lost-0, lost-1, lost-2,");
    expect(String(failure)).toContain("lost-9, ...");
    expect(String(failure)).not.toContain("lost-10");
    expect(String(failure)).toContain("Expected only what was attempted to be executed, got 1 from nowhere.");
    expect(String(failure)).toContain(`history ${directory}`);
  });

  test("is reported in a few lines", () => {
    const events = [
      happened("attempted", "a"),
      happened("acknowledged", "a"),
      happened("executed", "b"),
      happened("executed", "b"),
    ];
    expect(reportVerdict(judge(events))).toBe(
      [
        "attempted 1, acknowledged 1, unknown 0, started 0, executed 1, stored 0, cancelled 0, dead 0",
        "lost 1: a",
        "from nowhere 1: b",
        "duplicates 1: b (2 times)",
      ].join("\n"),
    );
  });

  test("has one file for each writer", async () => {
    using one = openHistory(join(directory, "deeper"), "worker");
    using other = openHistory(join(directory, "deeper"), "worker");
    one.close();
    one.close();
    expect(await readdir(join(directory, "deeper"))).toHaveLength(2);
    expect(other.path).toContain("worker-");
  });
});
