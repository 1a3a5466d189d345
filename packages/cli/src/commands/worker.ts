import { type Command, Option } from "commander";
import { byteSizeArgument, durationArgument, queueList, wholeNumber } from "../arguments.ts";
import { logLevels } from "../output/log-level.ts";
import type { Session } from "../session.ts";
import { logFormats } from "../worker/choose-logger.ts";
import { needsSupervisor, runSupervisor, type SupervisorFlags } from "../worker/run-supervisor.ts";
import { runWorker } from "../worker/run-worker.ts";
import { measuredOption, supervisedOption } from "../worker/supervision.ts";
import { examples } from "./examples.ts";

export function addWorker(program: Command, session: Session): void {
  program
    .command("worker")
    .summary("run a worker")
    .description(
      "Run a worker: a process that holds connections and leases, and one whose event loop runs the handlers.",
    )
    .option(
      "--concurrency <number>",
      "handlers that run at once, for each queue (default: of the configuration, else 10)",
      wholeNumber(1, 100_000),
    )
    .option(
      "--queues <list>",
      'the queues to work on, such as "a,b=5,c" (default: of the configuration, else of the tasks)',
      queueList,
    )
    .option(
      "--shutdown-timeout <duration>",
      'how long running handlers may go on after a stop (default: of the configuration, else "25s")',
      durationArgument,
    )
    .option("--processes <number>", "keep so many workers running, each in processes of its own", wholeNumber(1, 1_000))
    .option("--max-tasks <number>", "replace a worker after so many tasks", wholeNumber(1, 1_000_000_000))
    .option("--max-memory <size>", 'replace a worker whose processes hold more, such as "1gb"', byteSizeArgument)
    .option("--health-port <number>", "answer /livez and /readyz on this port; 0: any free one", wholeNumber(0, 65_535))
    .option("--health-host <address>", "listen for probes on this address alone (default: all)")
    .option(
      "--metrics-port <number>",
      "answer /metrics for Prometheus on this port; needs @taskferry/prometheus",
      wholeNumber(0, 65_535),
    )
    .option("--metrics-host <address>", "listen for scrapes on this address alone (default: all)")
    .option("--scheduler", "run a scheduler beside it")
    .option("--watch", "restart the worker when a source file changes")
    .addOption(new Option("--log-level <level>", "the least level that is logged (default: info)").choices(logLevels))
    .addOption(
      new Option("--log-format <format>", "auto: pretty on a terminal, JSON lines elsewhere").choices(logFormats),
    )
    .addOption(new Option(supervisedOption).hideHelp())
    .addOption(new Option(measuredOption).hideHelp())
    .addHelpText(
      "after",
      examples(
        [
          ["taskferry worker", "all queues of the handlers"],
          ["taskferry worker --queues mail,images=2 --concurrency 50", "50 mails and 2 images at once"],
          ["taskferry worker --watch", "while developing"],
          ["taskferry worker --processes 4 --max-memory 1gb", "four, started again when they crash or grow"],
          ["taskferry worker --health-port 8080 --shutdown-timeout 50s", "in a container"],
        ],
        "SIGTERM and SIGINT stop it in stages: it takes no more, lets handlers finish, aborts their signals, hands back\nwhat still runs, and exits with 0. A second signal ends it at once, with 143 or 130; what ran then is run again.",
      ),
    )
    .action(async (flags: SupervisorFlags) => {
      if (needsSupervisor(flags)) session.end(await runSupervisor(session, flags));
      else session.end((await runWorker(session, flags)) ? 0 : 1);
    });
}
