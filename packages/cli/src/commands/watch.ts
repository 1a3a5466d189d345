import { type Command, Option } from "commander";
import { intervalArgument } from "../arguments.ts";
import { connect, type Session } from "../session.ts";
import { type WatchFlags, watchQueues } from "../watch/watch-queues.ts";
import { examples } from "./examples.ts";

export function addWatch(program: Command, session: Session): void {
  program
    .command("watch")
    .summary("show queues, workers and rates live")
    .description("Show queues, workers and rates in the terminal, again and again until Ctrl-C.")
    .addOption(
      new Option("--interval <duration>", "how often it looks").argParser(intervalArgument).default(1_000, "1s"),
    )
    .option("--once", "show it once, as where the output is no terminal")
    .option("--json", "print JSON, one line for each look")
    .addHelpText(
      "after",
      examples([
        ["taskferry watch", "until Ctrl-C"],
        ["taskferry watch --once", "what it looks like now"],
        ["taskferry watch --json --interval 10s >> load.jsonl", "to look at it later"],
      ]),
    )
    .action(async (flags: WatchFlags) => {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      // A second signal ends the process as ever.
      process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
      try {
        await using client = await connect(session);
        await watchQueues(client, { session, flags, signal: stop.signal });
      } finally {
        process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      }
    });
}
