import type { BrokerAdmin, QueueDepth as Depth } from "@taskferry/core";
import type { Command } from "commander";
import { formatTable } from "../output/table.ts";
import { type Session, withBroker } from "../session.ts";
import { examples } from "./examples.ts";

interface QueueDepth extends Depth {
  readonly queue: string;
}

export function addQueues(program: Command, session: Session): void {
  program
    .command("queues")
    .summary("show the queues and their depths")
    .description("Show the queues and how many messages they hold.")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        [
          ["taskferry queues", "all queues"],
          ["taskferry queues --json", "the same for programs"],
        ],
        "ready: waits for a worker. running: a worker has it. delayed: waits for its time. dead: given up on. ?: the broker does not tell.",
      ),
    )
    .action(async ({ json }: { readonly json?: boolean }) => {
      const depths = await withBroker(session, ({ queues }) => readDepths(queues));
      if (json) session.printJson(depths);
      else session.print(depths.length === 0 ? "No queue holds a message." : formatDepths(depths, session));
    });
}

async function readDepths(admin: BrokerAdmin): Promise<readonly QueueDepth[]> {
  const queues = await admin.queues();
  return await Promise.all(queues.map(async (queue) => pick(queue, await admin.depth(queue))));
}

function pick(queue: string, { ready, running, delayed, dead }: Depth): QueueDepth {
  return { queue, ready, running, delayed, dead };
}

function formatDepths(depths: readonly QueueDepth[], { paint }: Session): string {
  return formatTable(
    depths,
    [
      { heading: "queue", cell: ({ queue }) => queue },
      { heading: "ready", cell: ({ ready = "?" }) => ready },
      { heading: "running", cell: ({ running = "?" }) => running },
      { heading: "delayed", cell: ({ delayed = "?" }) => delayed },
      { heading: "dead", cell: ({ dead = "?" }) => dead },
    ],
    paint,
  );
}
