import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { workerHeapOptions } from "../heap-options.ts";
import { isolateEntry, toMegabytes } from "./entry.ts";
import type { SpawnIsolate } from "./isolate.ts";
import { type PackedBatch, packRequests, unpackReports } from "./packed-batch.ts";

/** @param maxMemory - bytes that its JavaScript may hold; `undefined`: Node's own limit. */
export function processes(maxMemory: number | undefined): SpawnIsolate {
  const guard = createExitGuard();
  return ({ onReports, onExit }) => {
    const child = fork(fileURLToPath(isolateEntry()), [], {
      serialization: "advanced",
      execArgv: [
        ...process.execArgv.filter((option) => !option.startsWith("--inspect")),
        ...(maxMemory === undefined ? workerHeapOptions() : [`--max-old-space-size=${toMegabytes(maxMemory)}`]),
      ],
    });
    guard.add(child);
    child.on("message", (reports) => onReports(unpackReports(reports as unknown as PackedBatch)));
    void exitOf(child).then(({ why, error }) => {
      guard.remove(child);
      onExit(why(maxMemory), error);
    });
    return {
      name: `process ${child.pid ?? "that did not start"}`,
      post: (requests) => {
        if (child.connected) child.send(packRequests(requests), () => undefined);
      },
      kill: () => kill(child),
    };
  };
}

interface Exit {
  readonly why: (maxMemory: number | undefined) => string;
  readonly error?: unknown;
}

/** Resolves when it has ended and all that it sent has been read. */
function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.on("error", (error) => {
      if (child.pid === undefined) resolve({ why: () => `could not be started: ${error.message}`, error });
    });
    child.once("exit", (code, signal) => {
      const end = (): void => resolve({ why: (maxMemory) => describe(code, signal, maxMemory) });
      if (child.connected) child.once("disconnect", end);
      else end();
    });
  });
}

function kill(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return ended;
}

function describe(code: number | null, signal: NodeJS.Signals | null, maxMemory: number | undefined): string {
  if (signal === null) return `ended with code ${code}`;
  const limit = maxMemory === undefined ? "" : ` of ${toMegabytes(maxMemory)} MB (\`isolation.maxMemory\`)`;
  return signal === "SIGABRT" ? `ended by SIGABRT: it may have run out of its memory${limit}` : `ended by ${signal}`;
}

interface ExitGuard {
  add(child: ChildProcess): void;
  remove(child: ChildProcess): void;
}

/** Whatever ends this process must not leave children behind that take up their time for nobody. */
function createExitGuard(): ExitGuard {
  const children = new Set<ChildProcess>();
  const killAll = (): void => {
    for (const child of children) child.kill("SIGKILL");
  };
  return {
    add: (child) => {
      if (children.size === 0) process.once("exit", killAll);
      children.add(child);
    },
    remove: (child) => {
      children.delete(child);
      if (children.size === 0) process.off("exit", killAll);
    },
  };
}
