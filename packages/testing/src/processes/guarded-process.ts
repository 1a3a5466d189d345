import { type ChildProcess, type Serializable, spawn } from "node:child_process";
import { once } from "node:events";
import { type Duration, parseDuration } from "@taskferry/core";
import { testingError } from "../testing-error.ts";
import type { OutputLog } from "./output-log.ts";
import type { Reaper } from "./reaper.ts";

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GuardedProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  readonly output: OutputLog;
  readonly reaper: Reaper;
  /** Called when there is more output. */
  readonly onOutput?: (() => void) | undefined;
  /** Takes what the process sends by `process.send`. Absent: it has no such channel. */
  readonly onMessage?: ((message: Serializable) => void) | undefined;
}

/** A running child, in a process group of its own, which its reaper ends when this process is gone. */
export interface GuardedProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves once the process and whatever it left in its group have ended, and its output has been read to the end. */
  readonly ended: Promise<ProcessExit>;
}

// The shell tells the reaper of itself, then becomes the command: same process, same id.
const script = 'echo "$$" >&3; exec "$@" 3>&-';

/** Starts a child. It is the leader of its group, so that all of it can be killed at once. */
export async function spawnGuarded(options: GuardedProcessOptions): Promise<GuardedProcess> {
  const child = spawn("/bin/sh", ["-c", script, "taskferry-start", options.command, ...options.args], {
    detached: true,
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe", options.reaper.pipe, ...(options.onMessage ? ["ipc" as const] : [])],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      options.output.append(text);
      options.onOutput?.();
    });
  }
  if (options.onMessage) child.on("message", options.onMessage);
  const ended = new Promise<ProcessExit>((resolve) => {
    child.once("close", (code, signal) => {
      options.reaper.forget();
      resolve({ code, signal });
    });
  });
  await once(child, "spawn").catch((cause: unknown) => {
    throw testingError("PROCESS_NOT_STARTED", `Could not start ${options.command}.`, { cause });
  });
  const { pid } = child;
  if (pid === undefined)
    throw testingError("PROCESS_NOT_STARTED", `Could not start ${options.command}: it has no process id.`);

  child.once("exit", () => signalGroup(pid, "SIGKILL"));
  return { child, pid, ended };
}

/** Sends a signal to every process of a group. Nothing happens when none is left. */
function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    // EPERM is how some systems say that only zombies are left.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

/** Kills the whole group, at once and by force. */
export async function killGuarded(guarded: GuardedProcess): Promise<ProcessExit> {
  const { exitCode, signalCode } = guarded.child;
  // The id of an ended process may belong to another one by now.
  if (exitCode === null && signalCode === null) signalGroup(guarded.pid, "SIGKILL");
  return await guarded.ended;
}

/**
 * Asks the process to stop and waits for it.
 *
 * @throws `PROCESS_NOT_STOPPED` when it is still there after `timeout`; it is then killed.
 */
export async function stopGuarded(guarded: GuardedProcess, timeout: Duration): Promise<ProcessExit> {
  const limit = parseDuration(timeout, "timeout");
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    signalGroup(guarded.pid, "SIGKILL");
  }, limit);
  guarded.child.kill("SIGTERM");
  guarded.child.kill("SIGCONT");
  const exit = await guarded.ended;
  clearTimeout(timer);
  if (late)
    throw testingError(
      "PROCESS_NOT_STOPPED",
      `Process ${guarded.pid} had not stopped ${limit} ms after SIGTERM, and was killed.`,
    );
  return exit;
}

/** A process's end in words, for errors. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal ? `ended by ${signal}` : `ended with code ${code}`;
}
