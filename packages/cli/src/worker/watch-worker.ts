import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Logger } from "@taskferry/core";
import { watch } from "chokidar";
import { codeOfSignal } from "../exit-code.ts";
import { stopMessage, supervisedOption } from "./supervision.ts";

export interface WatchOptions {
  /** The folder whose source files matter. */
  readonly root: string;
  /** More files, such as a configuration outside of `root`. */
  readonly files: readonly string[];
  /** What follows `taskferry` on the command line of the worker process. */
  readonly args: readonly string[];
  readonly logger: Logger;
}

const program = fileURLToPath(new URL("../../bin/taskferry.js", import.meta.url));
const sourcePattern = /\.[cm]?[jt]sx?$/;
/** Milliseconds without a change after which the worker is restarted: an editor or a compiler writes many files. */
const calm = 100;

/**
 * Runs a worker in a child process, and replaces it by a new one when a source file changes: the old one stops
 * gracefully first. Modules are never patched in place. Resolves, at a signal, to the exit code.
 */
export async function watchWorker({ root, files, args, logger }: WatchOptions): Promise<number> {
  const changes = watch([root, ...files], {
    ignoreInitial: true,
    ignored: (path, stats) => isIgnored(path, root, stats?.isFile() === true),
  });
  const supervisor = createSupervisor([...args, supervisedOption], logger);
  let timer: NodeJS.Timeout | undefined;
  changes.on("all", (event, path) => {
    // A folder comes and goes with its files; one without sources, such as that of a database, is no change.
    if (event === "addDir" || event === "unlinkDir") return;
    clearTimeout(timer);
    timer = setTimeout(() => supervisor.restart(relative(root, path)), calm);
  });
  changes.on("error", (error) => logger.error({ error }, "files cannot be watched"));
  await once(changes, "ready");
  logger.info({ root, pid: process.pid }, "watching for changes");
  supervisor.start();

  const code = await supervisor.ended;
  clearTimeout(timer);
  await changes.close();
  return code;
}

function isIgnored(path: string, root: string, isFile: boolean): boolean {
  const name = basename(path);
  if (path !== root && (name === "node_modules" || name.startsWith("."))) return true;
  return isFile && !sourcePattern.test(name);
}

interface Supervisor {
  start(): void;
  restart(changed: string): void;
  /** Resolves to the exit code once a signal came and the worker has ended. */
  readonly ended: Promise<number>;
}

function createSupervisor(args: readonly string[], logger: Logger): Supervisor {
  let child: ChildProcess | undefined;
  let isEnding = false;
  let wantsNew = false;
  let finish: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const start = (): void => {
    wantsNew = false;
    const started = spawn(process.execPath, [...process.execArgv, program, ...args], {
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    child = started;
    started.once("error", (error) => logger.error({ error }, "the worker process could not be started"));
    started.once("exit", (code, signal) => {
      child = undefined;
      // A signal may reach it before it listens: then nothing of it had begun.
      if (isEnding) end(signal === "SIGINT" || signal === "SIGTERM" ? 0 : (code ?? 1));
      else if (wantsNew) start();
      else logger.warn({ code, signal }, "the worker process has ended: waiting for a change");
    });
  };
  const restart = (changed: string): void => {
    if (isEnding) return;
    logger.info({ changed }, "a file changed: restarting the worker");
    wantsNew = true;
    if (child === undefined) start();
    else askToStop(child);
  };
  const onSignal = (signal: "SIGINT" | "SIGTERM"): void => {
    if (isEnding) {
      child?.kill("SIGKILL");
      end(codeOfSignal(signal));
    } else {
      isEnding = true;
      if (child === undefined) end(0);
      else askToStop(child);
    }
  };
  const end = (code: number): void => {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    finish(code);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return { start, restart, ended };
}

function askToStop(child: ChildProcess): void {
  // It may have ended a moment ago: its exit tells what comes next.
  if (child.connected) child.send(stopMessage, () => undefined);
}
