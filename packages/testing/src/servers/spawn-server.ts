import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duration, parseDuration } from "@taskferry/core";
import {
  describeExit,
  type GuardedProcess,
  killGuarded,
  spawnGuarded,
  stopGuarded,
} from "../processes/guarded-process.ts";
import { OutputLog } from "../processes/output-log.ts";
import { pauseProcess, resumeProcess } from "../processes/pause-process.ts";
import { type Reaper, startReaper } from "../processes/reaper.ts";
import { isTestingError, testingError } from "../testing-error.ts";
import { findFreePort } from "./free-port.ts";
import type { PrivateServer } from "./private-server.ts";
import { failureToBeReady } from "./readiness.ts";

const host = "127.0.0.1";
const portTries = 5;
const stopTimeout = "30s";

/** Where a server is to listen and to keep its files. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly directory: string;
}

/** What a kind of server needs in order to be a private server. */
export interface ServerKind {
  readonly name: string;
  readonly command: string;
  readonly args: (place: ServerPlace) => readonly string[];
  readonly env?: (place: ServerPlace) => Readonly<Record<string, string | undefined>>;
  readonly url: (place: ServerPlace) => string;
  /** Writes its configuration. Called with each port that is tried, before the first start. */
  readonly prepare?: (place: ServerPlace) => Promise<void>;
  /** Asks it, in its own protocol, whether it serves. Rejects while it does not, or while another server answers there. */
  readonly ready: (place: ServerPlace & { readonly pid: number; readonly signal: AbortSignal }) => Promise<void>;
  /** What its output says when somebody else has its port. */
  readonly portTaken: RegExp;
  /** The longest time from start to ready. Default: 15 seconds. */
  readonly startTimeout?: Duration | undefined;
}

/** Starts a server of that kind; on another free port, when somebody took the first one in between. */
export async function spawnServer(kind: ServerKind): Promise<PrivateServer> {
  const directory = await mkdtemp(join(tmpdir(), `taskferry-${kind.name}-`));
  const reaper = await startReaper(directory);
  try {
    return await startOnFreePort({ kind, directory, reaper });
  } catch (error) {
    await reaper.end();
    throw error;
  }
}

async function startOnFreePort({
  kind,
  directory,
  reaper,
}: {
  kind: ServerKind;
  directory: string;
  reaper: Reaper;
}): Promise<PrivateServer> {
  for (let tries = 1; ; tries += 1) {
    const place = { host, port: await findFreePort(host), directory };
    await kind.prepare?.(place);
    const server = new SpawnedServer(kind, place, reaper);
    try {
      await server.start();
      return server;
    } catch (error) {
      if (!isTestingError(error, "SERVER_PORT_TAKEN") || tries === portTries) throw error;
    }
  }
}

class SpawnedServer implements PrivateServer {
  readonly #kind: ServerKind;
  readonly #place: ServerPlace;
  readonly #reaper: Reaper;
  readonly #output = new OutputLog();
  #process: GuardedProcess | undefined;
  #disposed: Promise<void> | undefined;

  constructor(kind: ServerKind, place: ServerPlace, reaper: Reaper) {
    this.#kind = kind;
    this.#place = place;
    this.#reaper = reaper;
  }

  get name(): string {
    return this.#kind.name;
  }
  get host(): string {
    return this.#place.host;
  }
  get port(): number {
    return this.#place.port;
  }
  get url(): string {
    return this.#kind.url(this.#place);
  }
  get directory(): string {
    return this.#place.directory;
  }
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    if (this.#disposed) throw testingError("SERVER_CLOSED", `This ${this.name} was disposed of. Start a new one.`);
    if (this.#process)
      throw testingError("SERVER_RUNNING", `${this.name} runs already. Stop or kill it before you start it.`);
    const process = await spawnGuarded({
      command: this.#kind.command,
      args: this.#kind.args(this.#place),
      env: this.#kind.env?.(this.#place),
      cwd: this.directory,
      output: this.#output,
      reaper: this.#reaper,
    });
    this.#process = process;
    const ended = process.ended.then((exit) => {
      this.#process = undefined;
      return describeExit(exit);
    });
    await this.#untilReady(process, ended);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async kill(): Promise<void> {
    if (this.#process) await killGuarded(this.#process);
  }

  async stop(): Promise<void> {
    if (this.#process) await stopGuarded(this.#process, stopTimeout);
  }

  async pause(): Promise<void> {
    await pauseProcess(this.#running().pid);
  }

  resume(): void {
    resumeProcess(this.#running().pid);
  }

  logs(): string {
    return this.#output.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.kill().then(() => this.#reaper.end());
    await this.#disposed;
  }

  #running(): GuardedProcess {
    if (this.#process) return this.#process;
    throw testingError("SERVER_NOT_RUNNING", `${this.name} does not run. Start it first.`);
  }

  async #untilReady(process: GuardedProcess, ended: Promise<string>): Promise<void> {
    const before = this.#output.length;
    const failure = await failureToBeReady({
      ask: (signal) => this.#kind.ready({ ...this.#place, pid: process.pid, signal }),
      ended,
      timeout: parseDuration(this.#kind.startTimeout ?? "15s", "startTimeout"),
    });
    if (failure === undefined) return;
    await killGuarded(process);
    const output = this.#output.since(before);
    const code = this.#kind.portTaken.test(output) ? "SERVER_PORT_TAKEN" : "SERVER_NOT_READY";
    throw testingError(code, `${this.name} on ${this.host}:${this.port} ${failure}. Its output:\n${output}`);
  }
}
