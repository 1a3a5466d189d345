import { Command, CommanderError } from "commander";
import { addCancel } from "./commands/cancel.ts";
import { addDead } from "./commands/dead.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEnqueue } from "./commands/enqueue.ts";
import { addMove } from "./commands/move.ts";
import { addPause, addResume } from "./commands/pause.ts";
import { addPurge } from "./commands/purge.ts";
import { addQueues } from "./commands/queues.ts";
import { addResult } from "./commands/result.ts";
import { addScheduler } from "./commands/scheduler.ts";
import { addSchedules } from "./commands/schedules.ts";
import { addTasks } from "./commands/tasks.ts";
import { addWatch } from "./commands/watch.ts";
import { addWorker } from "./commands/worker.ts";
import { addWorkers } from "./commands/workers.ts";
import { describeError } from "./output/describe-error.ts";
import { createPaint } from "./output/paint.ts";
import { createSession, type GlobalOptions, type Session } from "./session.ts";
import { flush, processTerminal, type Terminal } from "./terminal.ts";
import { cliVersion } from "./version.ts";

/**
 * Runs one command of `taskferry` in this process.
 *
 * @param args - what follows `taskferry` on the command line.
 * @returns the exit code: 0 done, 1 failed, 2 the command was given wrongly.
 */
export async function run(args: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  const program = new Command();
  const session = createSession({ terminal, args, globals: () => program.opts<GlobalOptions>() });
  configure(program, session);
  try {
    await program.parseAsync(args, { from: "user" });
    return session.exitCode;
  } catch (error) {
    // Commander has written its own complaint, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const paint = createPaint(terminal.stderr, terminal.env);
    const stack = program.opts<GlobalOptions>().stack === true || (terminal.env.TASKFERRY_STACK ?? "") === "1";
    terminal.stderr.write(`${paint("red", "error:")} ${describeError(error, { stack, redact: session.redact })}\n`);
    return 1;
  }
}

/** Runs the command line of this process and ends it. */
export async function main(): Promise<void> {
  // The reader may have seen enough, as `head` does: that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const code = await run(process.argv.slice(2));
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  // Modules of the user may hold connections that would keep this process alive for ever.
  process.exit(code);
}

/** Gives a program its options and commands. */
export function configure(program: Command, session: Session): Command {
  const { stdout, stderr } = session.terminal;
  program
    .name("taskferry")
    .description("Run workers, enqueue tasks, look into queues and repair them.")
    .version(cliVersion(), "-V, --version", "print the version")
    .option("-c, --config <path>", "the configuration file (default: taskferry.config.{js,mjs,ts,mts} from here up)")
    .option("--stack", "show the stack traces of errors (also: TASKFERRY_STACK=1)")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(session.redact(text)),
    })
    .showHelpAfterError("Run it with --help for usage and examples.")
    .exitOverride()
    .addHelpText("after", programHelp);
  for (const add of [
    addWorker,
    addScheduler,
    addSchedules,
    addEnqueue,
    addResult,
    addCancel,
    addTasks,
    addQueues,
    addWorkers,
    addWatch,
    addDead,
    addPause,
    addResume,
    addMove,
    addPurge,
    addDoctor,
  ])
    add(program, session);
  return program;
}

const programHelp = `
Exit codes:
  0    done
  1    it failed: a task failed, a check failed, a server is out of reach
  2    the command was given wrongly; nothing was done
  130  stopped at once by a second SIGINT
  143  stopped at once by a second SIGTERM

Environment:
  TASKFERRY_BROKER, TASKFERRY_RESULTS, TASKFERRY_STATE
       URLs, used where there is no configuration file
  TASKFERRY_STACK=1
       the same as --stack
  NO_COLOR=1
       no colours`;
