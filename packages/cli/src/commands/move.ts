import { type Command, Option } from "commander";
import { nameArgument, wholeNumber } from "../arguments.ts";
import { countOf } from "../output/count.ts";
import { type Session, withBroker } from "../session.ts";
import { examples } from "./examples.ts";

interface MoveFlags {
  readonly section: "ready" | "delayed";
  readonly limit?: number;
  readonly json?: boolean;
}

export function addMove(program: Command, session: Session): void {
  program
    .command("move")
    .summary("move what waits in one queue to another")
    .description(
      "Enqueue what waits in a queue in another instead. Pause the first queue before, if workers take from it.",
    )
    .argument("<from>", "the queue it is in", nameArgument("queue"))
    .argument("<to>", "the queue it shall be in", nameArgument("queue"))
    .addOption(new Option("--section <section>", "what to move").choices(["ready", "delayed"]).default("ready"))
    .option("--limit <number>", "at most so many (default: as many as there are now)", wholeNumber(1, 1_000_000_000))
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      examples([
        ["taskferry move images slow", "all that is ready"],
        ["taskferry move images slow --section delayed --limit 100", "the first hundred that are delayed"],
      ]),
    )
    .action(async (from: string, to: string, { json, ...options }: MoveFlags) => {
      const report = await withBroker(session, ({ queues }) => queues.move(from, to, options));
      if (json) session.printJson(report);
      else session.print(`Moved ${countOf(report.moved, "message")} from ${from} to ${to}.`);
      for (const { key, reason } of report.left) session.note(`warning: ${key} was left: ${reason}.`);
      session.end(report.left.length === 0 ? 0 : 1);
    });
}
