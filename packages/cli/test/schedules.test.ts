import { describe, expect, test } from "vitest";
import { createApplication } from "./application.ts";
import { startTaskferry, taskferry } from "./binary.ts";
import { withShell } from "./shell.ts";

const schedule = `
import { defineSchedule } from "@taskferry/core";
import { greet } from "./tasks.js";
export const tick = defineSchedule("tick", { every: "1s" }, greet, { name: "you" });
`;

const config = `
export default { broker: "sqlite:data/queue.db", handlers: ["./src/handlers.ts"], schedules: ["./src/schedules.ts"] };
`;

describe("schedules", () => {
  test("there are none at first, and none can be changed", () =>
    withShell(async (shell) => {
      expect(await shell.run("schedules", "list")).toMatchObject({ code: 0, stdout: "There is no schedule.\n" });
      expect(await shell.run("schedules", "list", "--json")).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^\[\]/),
      });
      for (const command of ["next", "pause", "resume", "run"])
        expect(await shell.run("schedules", command, "nobody")).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/SCHEDULE_UNKNOWN|There is no schedule "nobody"/),
        });
      expect(await shell.run("schedules", "remove", "nobody")).toMatchObject({ code: 0 });
      expect(await shell.run("schedules", "pause", "not an id")).toMatchObject({ code: 2 });
    }));
});

for (const args of [["scheduler"], ["worker", "--scheduler"]])
  test(`taskferry ${args.join(" ")} fires the schedules of a module`, async () => {
    await using project = await createApplication();
    await project.write("src/schedules.ts", schedule);
    await project.write("taskferry.config.ts", config);
    await using scheduler = await startTaskferry(project, args);
    await scheduler.waitForOutput(/"message":"the scheduler has started"/);
    const json = async (...rest: readonly string[]) =>
      JSON.parse((await taskferry(project, ["schedules", ...rest, "--json"])).stdout);
    expect(await json("list")).toMatchObject([{ id: "tick", task: "greet", source: "code", isPaused: false }]);
    expect(await json("next", "tick", "--count", "2")).toHaveLength(2);
    expect(await json("pause", "tick")).toMatchObject({ isPaused: true });
    expect((await taskferry(project, ["schedules", "list"])).stdout).toMatch(/tick +greet +every 1 s +paused/);
    expect(await json("run", "tick")).toMatchObject({ id: expect.stringMatching(/^schedule:tick:1:run-/) });
    expect(await json("resume", "tick")).toMatchObject({ isPaused: false });
    expect(await scheduler.stop()).toEqual({ code: 0, signal: null });
    expect(await json("remove", "tick")).toEqual({ id: "tick", removed: true });
  });
