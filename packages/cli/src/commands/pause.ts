import type { Client } from "@taskferry/core";
import type { Command } from "commander";
import { nameArgument } from "../arguments.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/time.ts";
import { connect, type Session } from "../session.ts";
import { examples } from "./examples.ts";

interface PauseFlags {
  readonly json?: boolean;
}

export function addPause(program: Command, session: Session): void {
  program
    .command("pause")
    .summary("pause queues everywhere, or show those that are paused")
    .description("Pause queues: no worker takes anything from them until they are resumed. What runs goes on.")
    .argument("[queue...]", "the queues (default: none, show those that are paused)", collectQueues)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry pause images", "nothing of it starts any more"],
        ["taskferry pause", "the queues that are paused"],
      ]),
    )
    .action(async (queues: readonly string[], flags: PauseFlags) => {
      await using client = await connect(session);
      if (queues.length === 0) return showPaused(session, client, flags);
      for (const queue of queues) {
        const isNew = await client.queues.pause(queue);
        if (!flags.json) session.print(isNew ? `Paused ${queue}.` : `${queue} was paused already.`);
      }
      if (flags.json) session.printJson(await client.queues.paused());
    });
}

export function addResume(program: Command, session: Session): void {
  program
    .command("resume")
    .summary("resume queues that are paused")
    .description("Resume queues: workers take from them again.")
    .argument("<queue...>", "the queues", collectQueues)
    .option("--json", "print JSON")
    .addHelpText("after", examples([["taskferry resume images", "its tasks start again"]]))
    .action(async (queues: readonly string[], flags: PauseFlags) => {
      await using client = await connect(session);
      for (const queue of queues) {
        const was = await client.queues.resume(queue);
        if (!flags.json) session.print(was ? `Resumed ${queue}.` : `${queue} was not paused.`);
      }
      if (flags.json) session.printJson(await client.queues.paused());
    });
}

async function showPaused(session: Session, client: Client<boolean>, { json }: PauseFlags): Promise<void> {
  const paused = await client.queues.paused();
  if (json) return session.printJson(paused);
  if (paused.length === 0) return session.print("No queue is paused.");
  const table = formatTable(
    paused,
    [
      { heading: "queue", cell: ({ queue }) => queue },
      { heading: "paused at", cell: ({ at }) => formatTime(at) },
    ],
    session.paint,
  );
  session.print(table);
}

function collectQueues(queue: string, before: readonly string[] = []): readonly string[] {
  return [...before, nameArgument("queue")(queue)];
}
