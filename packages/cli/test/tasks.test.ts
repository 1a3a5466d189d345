import { describe, expect, test } from "vitest";
import { withShell } from "./shell.ts";

describe("tasks", () => {
  test("are listed with their options", () =>
    withShell(async ({ run }) => {
      expect((await run("tasks")).stdout).toMatchInlineSnapshot(`
        "task       queue    attempts  timeout  priority  result kept  schemas  module
        math.add   sums            3  5 s             6  1 d          input    ./handlers.mjs
        math.fail  default         1  none            4  1 d          none     ./handlers.mjs
        "
      `);
      expect(JSON.parse((await run("tasks", "--json")).stdout)[0]).toEqual({
        name: "math.add",
        queue: "sums",
        retry: { attempts: 3, backoff: { from: 1_000, to: 300_000 } },
        timeout: 5_000,
        priority: 6,
        resultTtl: 86_400_000,
        acknowledge: "stored",
        broadcast: false,
        isolation: "loop",
        claim: false,
        track: false,
        hasInputSchema: true,
        hasOutputSchema: false,
        module: "./handlers.mjs",
      });
    }));

  test("with faults in their modules are all told at once", () =>
    withShell(async ({ run, project, broker }) => {
      await project.write("empty.mjs", "export const nothing = 1;");
      await project.write(
        "twice.mjs",
        'export { onAdd as again } from "./handlers.mjs"; import { add } from "./handlers.mjs"; export const other = add.handler(() => 0);',
      );
      await project.write(
        "faulty.mjs",
        `export default { broker: "${broker}", handlers: ["./handlers.mjs", "./empty.mjs", "./twice.mjs", "./gone.mjs", 5] };`,
      );
      const { code, stderr } = await run("tasks", "--config", "faulty.mjs");
      expect(code).toBe(1);
      expect(stderr).toContain("the module ./empty.mjs exports no handler");
      expect(stderr).toContain('two for "math.add", in ./handlers.mjs and ./twice.mjs');
      expect(stderr).toContain("the module ./gone.mjs could not be loaded");
      expect(stderr).toContain("got number");
      expect(stderr).not.toMatch(/\n +at /);
      expect((await run("tasks", "--config", "faulty.mjs", "--stack")).stderr).toMatch(/\n +at /);
    }));

  test("show no password of the configuration, even where it stands alone", () =>
    withShell(async ({ run, project }) => {
      await project.write(
        "secret.mjs",
        'export default { broker: "redis://me:canary%21@host", handlers: ["./leak.mjs"] };',
      );
      await project.write("leak.mjs", 'throw new Error("tried canary! and canary%21");');
      const { code, stderr } = await run("tasks", "--config", "secret.mjs");
      expect(code).toBe(1);
      expect(stderr).toContain("could not be loaded: tried *** and ***");
    }));
});
