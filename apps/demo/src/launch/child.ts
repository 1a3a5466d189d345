import { type ChildProcess, spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { appFolder } from "../settings.ts";
import type { ReadyMessage } from "./link.ts";

/** One process of the application. */
export interface Child {
  readonly title: string;
  readonly pid: number;
  /** Resolves once it does its work; rejects when it ends before. */
  readonly ready: Promise<ReadyMessage>;
  /** Resolves with how it ended. */
  readonly ended: Promise<string>;
  /** Passes a signal on; nothing happens when it has ended. */
  signal(name: NodeJS.Signals): void;
}

export interface ChildOptions {
  readonly title: string;
  readonly entry: URL;
  readonly env: NodeJS.ProcessEnv;
  /** Lets other processes go first. */
  readonly isPatient?: boolean;
}

export function startChild({ title, entry, env, isPatient = false }: ChildOptions): Child {
  const child = spawn(process.execPath, ["--enable-source-maps", entry.pathname], {
    cwd: appFolder,
    env: { ...process.env, ...env },
    // A group of its own: a Ctrl-C reaches the launcher alone, which passes it on once.
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`The ${title} could not be started.`);
  if (isPatient) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  const ended = endOf(child);
  return {
    title,
    pid,
    ended,
    ready: Promise.race([
      new Promise<ReadyMessage>((resolve) => child.once("message", (message) => resolve(message as ReadyMessage))),
      ended.then((how): never => {
        throw new Error(`The ${title} ${how} before it was ready.`);
      }),
    ]),
    signal: (name) => void child.kill(name),
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started (${error.message})`));
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
    );
  });
}
