import { relative } from "node:path";
import type { ResolvedTaskOptions } from "@taskferry/core";
import { type FoundHandler, loadHandlers } from "@taskferry/core";
import type { Command } from "commander";
import { formatTable } from "../output/table.ts";
import { formatSpan } from "../output/time.ts";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

interface ListedTask extends ResolvedTaskOptions {
  readonly name: string;
  readonly hasInputSchema: boolean;
  readonly hasOutputSchema: boolean;
  /** The module of its handler; absent when the handler was given by value. */
  readonly module: string | undefined;
}

export function addTasks(program: Command, session: Session): void {
  program
    .command("tasks")
    .summary("list the tasks that the handlers run")
    .description("List the tasks that this configuration's handlers run, with their options. Connects to nothing.")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry tasks", "a table"],
        ["taskferry tasks --json", "all options; durations in milliseconds"],
      ]),
    )
    .action(async ({ json }: { readonly json?: boolean }) => {
      const config = await session.config();
      const found = await loadHandlers(config, session.loadModule);
      const tasks = found.map(toListed).sort((one, other) => (one.name < other.name ? -1 : 1));
      if (json) session.printJson(tasks);
      else session.print(tasks.length === 0 ? noTasks : formatTasks(tasks, config.root, session));
    });
}

const noTasks =
  "The configuration names no handlers. Set `handlers` to modules that export values made by task.handler(fn).";

function toListed({ handler: { task }, source }: FoundHandler): ListedTask {
  const { name, options, input, output } = task;
  return {
    name,
    ...options,
    hasInputSchema: input !== undefined,
    hasOutputSchema: output !== undefined,
    module: source,
  };
}

function formatTasks(tasks: readonly ListedTask[], root: string, { paint }: Session): string {
  return formatTable(
    tasks,
    [
      { heading: "task", cell: ({ name }) => name },
      { heading: "queue", cell: ({ queue }) => queue },
      { heading: "attempts", cell: ({ retry }) => retry.attempts },
      { heading: "timeout", cell: ({ timeout }) => (timeout === undefined ? "none" : formatSpan(timeout)) },
      { heading: "priority", cell: ({ priority }) => priority },
      { heading: "result kept", cell: ({ resultTtl }) => formatSpan(resultTtl) },
      { heading: "schemas", cell: describeSchemas },
      { heading: "module", cell: ({ module }) => (module === undefined ? "(by value)" : shorten(module, root)) },
    ],
    paint,
  );
}

function describeSchemas({ hasInputSchema, hasOutputSchema }: ListedTask): string {
  const present = [...(hasInputSchema ? ["input"] : []), ...(hasOutputSchema ? ["output"] : [])];
  return present.length === 0 ? "none" : present.join(", ");
}

function shorten(module: string, root: string): string {
  return module.startsWith(root) ? relative(root, module) : module;
}
