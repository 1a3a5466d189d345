import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { configure } from "../src/main.ts";
import { createSession } from "../src/session.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

function everyCommand(): readonly Command[] {
  const { terminal } = createFakeTerminal({ cwd: import.meta.dirname });
  const program = configure(new Command(), createSession({ terminal, args: [], globals: () => ({}) }));
  return [program, ...program.commands.flatMap((command) => [command, ...command.commands])];
}

describe("the guide to the command line", () => {
  test("has every command and every option, and none that is not there", async () => {
    const guide = await readFile(new URL("../../../docs/cli.md", import.meta.url), "utf8");
    const commands = everyCommand();
    const options = commands.flatMap((command) =>
      command.options.filter((option) => !option.hidden).map((option) => option.flags),
    );
    expect(options.filter((flags) => !guide.includes(`\`${flags}\``))).toEqual([]);
    const names = commands.slice(1).map((command) => command.name());
    expect(names.filter((name) => !new RegExp(`\`(?:dead |schedules )?${name}[ \`]`).test(guide))).toEqual([]);

    const known = new Set([...commands.flatMap((command) => command.options.map((option) => option.long)), "--help"]);
    for (const [long] of guide.matchAll(/--[a-z][a-z-]+/g)) expect(known, long).toContain(long);
  });
});
