import { type Command, Option } from "commander";
import { durationArgument, queueList, wholeNumber } from "../arguments.ts";
import { logLevels } from "../output/log-level.ts";
import type { Session } from "../session.ts";
import { chooseLogger, logFormats } from "../worker/choose-logger.ts";
import { runWorker, type WorkerFlags } from "../worker/run-worker.ts";
import { supervisedOption } from "../worker/supervision.ts";
import { watchWorker } from "../worker/watch-worker.ts";
import { examples } from "./examples.ts";

interface WorkerCommandFlags extends WorkerFlags {
  readonly watch?: boolean;
}

export function addWorker(program: Command, session: Session): void {
  program
    .command("worker")
    .summary("run a worker")
    .description("Run a worker: one process, whose event loop runs the handlers of the configuration.")
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
    .option("--health-port <number>", "answer /livez and /readyz on this port; 0: any free one", wholeNumber(0, 65_535))
    .option("--health-host <address>", "listen for probes on this address alone (default: all)")
    .option("--scheduler", "run a scheduler beside it")
    .option("--watch", "restart the worker when a source file changes")
    .addOption(new Option("--log-level <level>", "the least level that is logged (default: info)").choices(logLevels))
    .addOption(
      new Option("--log-format <format>", "auto: pretty on a terminal, JSON lines elsewhere").choices(logFormats),
    )
    .addOption(new Option(supervisedOption).hideHelp())
    .addHelpText(
      "after",
      examples(
        [
          ["taskferry worker", "all queues of the handlers"],
          ["taskferry worker --queues mail,images=2 --concurrency 50", "50 mails and 2 images at once"],
          ["taskferry worker --watch", "while developing"],
          ["taskferry worker --health-port 8080 --shutdown-timeout 50s", "in a container"],
        ],
        "SIGTERM and SIGINT stop it in stages: it takes no more, lets handlers finish, aborts their signals, hands back\nwhat still runs, and exits with 0. A second signal ends it at once, with 143 or 130; what ran then is run again.",
      ),
    )
    .action(async (flags: WorkerCommandFlags) => {
      if (flags.watch) return await watch(session, flags);
      session.end((await runWorker(session, flags)) ? 0 : 1);
    });
}

async function watch(session: Session, flags: WorkerFlags): Promise<void> {
  const { config, file } = await session.loaded();
  const { logger } = chooseLogger(flags, config, session.terminal);
  const args = session.args.filter((arg) => arg !== "--watch");
  session.end(await watchWorker({ root: config.root, files: file === undefined ? [] : [file], args, logger }));
}
