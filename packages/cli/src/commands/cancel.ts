import { type CancelOptions, type CancelStatus, createClient } from "@taskferry/core";
import type { Command } from "commander";
import { durationArgument, idArgument, nameArgument } from "../arguments.ts";
import { formatTable } from "../output/table.ts";
import type { Session } from "../session.ts";
import { examples } from "./examples.ts";

interface CancelFlags {
  readonly reason?: string;
  readonly force?: boolean;
  readonly grace?: number;
  readonly queue?: string;
  readonly json?: boolean;
}

const meanings: Readonly<Record<CancelStatus, string>> = {
  finished: "it has ended",
  running: "a worker is at it: its signal aborts",
  requested: "a worker cancels it as soon as it meets it",
};

interface Answer {
  readonly id: string;
  readonly status: CancelStatus;
}

export function addCancel(program: Command, session: Session): void {
  const command = program
    .command("cancel")
    .summary("cancel tasks, whether they wait or run")
    .description("Cancel tasks by id. What waits never starts; what runs sees its signal abort.")
    .argument("<id...>", "the ids of the tasks", (id: string, before: readonly string[] = []) => [
      ...before,
      idArgument(id),
    ])
    .option("--reason <text>", "what the outcome says")
    .option("-f, --force", "the outcome stands at once, and what still runs after the grace is given up")
    .option("--grace <duration>", "how long a running handler may go on", durationArgument)
    .option("--queue <name>", "the queue they are in (default: looked for in all)", nameArgument("queue"))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry cancel 0192f0c1-7c1e-7b6e-9d3a-0f8a5d6c7b8e", "what waits never starts, what runs is asked to end"],
        ["taskferry cancel my-id --reason 'wrong customer' --force --grace 2s", "it ends, whatever its handler does"],
        ["taskferry cancel one two three --json", "the answers for programs"],
      ]),
    );
  command.action(async (ids: readonly string[], flags: CancelFlags) => {
    const { reason, force, grace, queue } = flags;
    const options: CancelOptions & { readonly queue?: string } = {
      ...(force === true && { mode: "force" }),
      ...(grace !== undefined && { grace }),
      ...(queue !== undefined && { queue }),
    };
    await using client = await createClient(await session.config());
    const statuses = await client.cancel(ids, reason, options);
    const answers = ids.map((id, index) => ({ id, status: statuses[index] ?? "requested" }));
    if (flags.json) session.printJson(answers);
    else session.print(formatAnswers(answers, session));
  });
}

function formatAnswers(answers: readonly Answer[], { paint }: Session): string {
  return formatTable(
    answers,
    [
      { heading: "id", cell: ({ id }) => id },
      { heading: "status", cell: ({ status }) => status },
      { heading: "", cell: ({ status }) => meanings[status] },
    ],
    paint,
  );
}
