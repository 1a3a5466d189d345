import { type Command, Option } from "commander";
import { wholeNumber } from "../arguments.ts";
import { logLevels } from "../output/log-level.ts";
import { runScheduler, type SchedulerFlags } from "../scheduler/run-scheduler.ts";
import type { Session } from "../session.ts";
import { logFormats } from "../worker/choose-logger.ts";
import { examples } from "./examples.ts";

export function addScheduler(program: Command, session: Session): void {
  program
    .command("scheduler")
    .summary("run a scheduler")
    .description("Run a scheduler: it enqueues what the schedules say. Any number may run; none leads.")
    .option("--health-port <number>", "answer /livez and /readyz on this port; 0: any free one", wholeNumber(0, 65_535))
    .option("--health-host <address>", "listen for probes on this address alone (default: all)")
    .addOption(new Option("--log-level <level>", "the least level that is logged (default: info)").choices(logLevels))
    .addOption(
      new Option("--log-format <format>", "auto: pretty on a terminal, JSON lines elsewhere").choices(logFormats),
    )
    .addHelpText(
      "after",
      examples(
        [
          ["taskferry scheduler", "the schedules of the configuration, and those made at run time"],
          ["taskferry worker --scheduler", "a worker that schedules as well"],
        ],
        "SIGTERM and SIGINT stop it; a second signal ends it at once. Another scheduler takes over what is due.",
      ),
    )
    .action(async (flags: SchedulerFlags) => session.end((await runScheduler(session, flags)) ? 0 : 1));
}
