import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { checkHistory, openHistory } from "../src/index.ts";
import { Executions } from "../src/suites/faults/executions.ts";
import { expectRepeatsOf, inFlightBetween, inFlightOf } from "../src/suites/faults/in-flight.ts";
import { type RanTest, runSuites } from "./fixtures/planted/run-suites.ts";

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "taskferry-history-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

describe("what was in flight", () => {
  test("of a worker that was killed: what it had begun and not brought to an end", async () => {
    using history = openHistory(await temporaryDirectory(), "worker");
    for (const id of ["stored", "running", "executed"]) history.record("started", id);
    for (const id of ["stored", "executed"]) history.record("executed", id);
    history.record("stored", "stored");
    expect(await inFlightOf(history.path)).toEqual(new Set(["running", "executed"]));
  });

  test("between two moments: what had begun before the second and not ended before the first", async () => {
    const directory = await temporaryDirectory();
    using history = openHistory(directory, "worker");
    history.record("started", "ended");
    history.record("stored", "ended");
    history.record("started", "running");
    const later = Date.now() + 1;
    expect(await inFlightBetween(directory, { since: later, until: later })).toEqual(new Set(["running"]));
    expect(await inFlightBetween(directory, { since: 0, until: 0 })).toEqual(new Set());
  });

  test("is what alone may be executed again, once for each time", async () => {
    const directory = await temporaryDirectory();
    using history = openHistory(directory);
    for (const id of ["once", "again", "again", "thrice", "thrice", "thrice"]) {
      history.record("attempted", id);
      history.record("acknowledged", id);
      history.record("executed", id);
    }
    const verdict = await checkHistory(directory);
    expect(() => expectRepeatsOf(verdict, ["again", "thrice", "thrice"])).not.toThrow();
    expect(() => expectRepeatsOf(verdict, ["again", "thrice"])).toThrow("thrice");
    expect(() => expectRepeatsOf(verdict, ["once", "thrice", "thrice"])).toThrow("again");
  });
});

describe("executions", () => {
  test("are waited for, past ones included", async () => {
    const executions = new Executions();
    const second = executions.reach(2, { timeout: "10s" });
    executions.add();
    await executions.reach(1, { timeout: 0 });
    executions.add();
    await second;
    expect(executions.count).toBe(2);
    await expect(executions.reach(3, { timeout: 1 })).rejects.toMatchObject({ code: "WAIT_TIMED_OUT" });
  });
});

describe("planted faults", () => {
  const rule =
    "bad input › reaches the dead letters once, with its reason and its very bytes, while the worker lives and the neighbours finish";
  const faulty = ["drops what is rejected", "hands out rejected ones again", "tidies dead letters"];
  let ran: ReadonlyMap<string, RanTest>;

  beforeAll(async () => {
    ran = await runSuites(["sound", ...faulty].map((name) => `faults ${name} ${rule}`));
  }, 300_000);

  test("a sound broker passes", () => {
    expect(ran.get(`faults sound ${rule}`)).toMatchObject({ status: "passed" });
  });

  test.each(faulty)("a broker that %s does not", (name) => {
    expect(ran.get(`faults ${name} ${rule}`)).toMatchObject({ status: "failed" });
  });
});
