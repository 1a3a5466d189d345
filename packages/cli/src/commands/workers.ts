import type { Command } from "commander";
import { formatWorkers } from "../output/workers.ts";
import { connect, type Session } from "../session.ts";
import { examples } from "./examples.ts";

export function addWorkers(program: Command, session: Session): void {
  program
    .command("workers")
    .summary("list the workers that live")
    .description("List the workers that live, wherever they run: what each said last in the state store.")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples(
        [
          ["taskferry workers", "each process that takes tasks"],
          ["taskferry workers --json", "the same for programs, with the tasks that run"],
        ],
        "running: handlers that run, of those that may at once. load: of its machine. late: by how much the event loop of\nits handlers was late at most. A worker that died shows for 15 seconds more.",
      ),
    )
    .action(async ({ json }: { readonly json?: boolean }) => {
      await using client = await connect(session);
      const workers = await client.workers();
      if (json) session.printJson(workers);
      else session.print(workers.length === 0 ? "No worker lives." : formatWorkers(workers, Date.now(), session.paint));
    });
}
