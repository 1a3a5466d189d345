import { type Client, defineTask, type Handle, type TaskStatus } from "@taskferry/core";
import type { Command } from "commander";
import { durationArgument, idArgument, nameArgument } from "../arguments.ts";
import { formatStatus } from "../output/outcome.ts";
import { type Session, withResults } from "../session.ts";
import { waitForOutcome } from "../wait-for-outcome.ts";
import { examples } from "./examples.ts";

interface ResultFlags {
  readonly wait?: boolean;
  readonly timeout?: number;
  readonly queue?: string;
  readonly json?: boolean;
}

/** The name of a task is not needed to find its outcome, and not known here. */
const someTask = defineTask<unknown, unknown>("unknown", { track: true });

export function addResult(program: Command, session: Session): void {
  const command = program
    .command("result")
    .summary("show how a task ended")
    .description("Show how a task ended. The exit code is 0 only when it succeeded.")
    .argument("<id>", "the id of the task", idArgument)
    .option("-w, --wait", "wait for the outcome")
    .option("--timeout <duration>", "with --wait: how long to wait at most (default: for ever)", durationArgument)
    .option("--queue <name>", "the queue it was enqueued in (default: looked for in all)", nameArgument("queue"))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry result 0192f0c1-7c1e-7b6e-9d3a-0f8a5d6c7b8e", "what is known now"],
        ["taskferry result my-id --wait --timeout 1m", "wait for it"],
        ["taskferry result my-id --json", "the outcome for programs, times in epoch milliseconds"],
      ]),
    );
  command.action(async (id: string, flags: ResultFlags) => {
    if (flags.timeout !== undefined && !flags.wait) command.error("error: --timeout needs --wait", { exitCode: 2 });
    const status = await withResults(session, (client) => look(client, session, { ...flags, id }));
    if (flags.json) session.printJson(status);
    else session.print(formatStatus(status, session.paint));
    session.end(status.status === "succeeded" ? 0 : 1);
  });
}

async function look(
  client: Client,
  session: Session,
  { id, queue, wait, timeout }: ResultFlags & { readonly id: string },
): Promise<TaskStatus> {
  const { handle, status } = await locate(client, id, queue);
  return wait && status.status === "pending" ? await waitForOutcome(handle, session.terminal, timeout) : status;
}

/** An outcome is found by its id alone; a task without one must be looked for in its queue. */
async function locate(
  client: Client,
  id: string,
  queue: string | undefined,
): Promise<{ readonly handle: Handle; readonly status: TaskStatus }> {
  const first = await lookIn(client, id, queue ?? someTask.options.queue);
  if (queue !== undefined || first.status.status !== "unknown") return first;
  for (const other of await client.queues.queues()) {
    const found = await lookIn(client, id, other);
    if (found.status.status !== "unknown") return found;
  }
  return first;
}

async function lookIn(
  client: Client,
  id: string,
  queue: string,
): Promise<{ readonly handle: Handle; readonly status: TaskStatus }> {
  const handle = client.handle(someTask, id, { queue });
  return { handle, status: withoutGuess(await handle.get()) };
}

/** Of a task that is not tracked nothing stands either, as of one that is queued. */
function withoutGuess(status: TaskStatus): TaskStatus {
  return status.status === "pending" && status.stage?.name === "queued" ? { status: "pending", id: status.id } : status;
}
