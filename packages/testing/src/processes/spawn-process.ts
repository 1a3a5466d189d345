import { createRequire } from "node:module";
import { basename, extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Duration } from "@taskferry/core";
import { testingError } from "../testing-error.ts";
import { Waiters, type WaitOptions } from "../waiters.ts";
import {
  describeExit,
  type GuardedProcess,
  killGuarded,
  type ProcessExit,
  spawnGuarded,
  stopGuarded,
} from "./guarded-process.ts";
import { OutputLog } from "./output-log.ts";
import { pauseProcess, resumeProcess } from "./pause-process.ts";
import { type Reaper, startReaper } from "./reaper.ts";
import type { ProcessMessage, SpawnedProcess } from "./spawned-process.ts";

/** How a file is run. */
export interface SpawnProcessOptions {
  readonly args?: readonly string[];
  /** Set on top of this process's environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The working directory. Default: that of this process. */
  readonly cwd?: string;
  /** Options of node itself: `["--max-old-space-size=64"]`. */
  readonly nodeOptions?: readonly string[];
}

/**
 * Runs a file as a process of its own. TypeScript runs from source; where this package does, packages that offer the
 * condition `@taskferry/source` are read from theirs too, so that nothing has to be built.
 *
 * @param entry - a path, or a URL: `new URL("./fixtures/worker.ts", import.meta.url)`.
 */
export async function spawnProcess<M extends ProcessMessage = ProcessMessage>(
  entry: string | URL,
  options: SpawnProcessOptions = {},
): Promise<SpawnedProcess<M>> {
  const path = entry instanceof URL ? fileURLToPath(entry) : entry;
  const reaper = await startReaper();
  const output = new OutputLog();
  const news = new News<M>();
  try {
    const guarded = await spawnGuarded({
      command: process.execPath,
      args: [...sourceOptions(path), ...(options.nodeOptions ?? []), path, ...(options.args ?? [])],
      env: options.env,
      cwd: options.cwd,
      output,
      reaper,
      onOutput: () => news.outputGrew(output.text()),
      onMessage: (message) => news.messageCame(message as M),
    });
    return new NodeProcess({ name: basename(path), guarded, reaper, output, news });
  } catch (error) {
    await reaper.end();
    throw error;
  }
}

const isSource = extname(import.meta.url) === ".ts";

/** What node needs to run a file: nothing for JavaScript. */
export function sourceOptions(path: string): readonly string[] {
  if (![".ts", ".mts"].includes(extname(path))) return [];
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx"));
  return [`--import=${loader.href}`, ...(isSource ? ["--conditions=@taskferry/source"] : [])];
}

/** What the test has heard of its process, and the waits for more. */
class News<M extends ProcessMessage> {
  readonly messages: M[] = [];
  readonly messageWaits = new Waiters<M>();
  readonly outputWaits = new Waiters<string>();
  over: Error | undefined;

  messageCame(message: M): void {
    if (!this.messageWaits.hand(message)) this.messages.push(message);
  }

  outputGrew(text: string): void {
    this.outputWaits.announce(text);
  }

  end(reason: Error): void {
    this.over = reason;
    this.messageWaits.fail(reason);
    this.outputWaits.fail(reason);
  }
}

interface NodeProcessParts<M extends ProcessMessage> {
  readonly name: string;
  readonly guarded: GuardedProcess;
  readonly reaper: Reaper;
  readonly output: OutputLog;
  readonly news: News<M>;
}

class NodeProcess<M extends ProcessMessage> implements SpawnedProcess<M> {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  readonly #guarded: GuardedProcess;
  readonly #output: OutputLog;
  readonly #news: News<M>;

  constructor({ name, guarded, reaper, output, news }: NodeProcessParts<M>) {
    this.name = name;
    this.pid = guarded.pid;
    this.#guarded = guarded;
    this.#output = output;
    this.#news = news;
    this.exited = guarded.ended.then(async (exit) => {
      news.end(testingError("PROCESS_ENDED", `${name} ${describeExit(exit)}. Its output:\n${output.text()}`));
      await reaper.end();
      return exit;
    });
  }

  async waitFor<T extends M["type"]>(type: T, options?: WaitOptions): Promise<Extract<M, { readonly type: T }>> {
    const { messages, messageWaits, over } = this.#news;
    const kept = messages.findIndex((message) => message.type === type);
    const [message] = kept === -1 ? [] : messages.splice(kept, 1);
    if (message === undefined && over) throw over;
    const next =
      message ?? (await messageWaits.wait(`the message "${type}" of ${this.name}`, (m) => m.type === type, options));
    return next as Extract<M, { readonly type: T }>;
  }

  async waitForOutput(pattern: RegExp, options?: WaitOptions): Promise<RegExpMatchArray> {
    const { outputWaits, over } = this.#news;
    const written = this.logs().match(pattern);
    if (written) return written;
    if (over) throw over;
    const text = await outputWaits.wait(
      `${pattern} in the output of ${this.name}`,
      (t) => t.match(pattern) !== null,
      options,
    );
    return text.match(pattern) as RegExpMatchArray;
  }

  send(message: ProcessMessage): void {
    const { child } = this.#guarded;
    if (!child.connected)
      throw this.#news.over ?? testingError("PROCESS_ENDED", `${this.name} takes no more messages.`);
    child.send(message);
  }

  async kill(): Promise<ProcessExit> {
    await killGuarded(this.#guarded);
    return await this.exited;
  }

  async stop(timeout: Duration = "30s"): Promise<ProcessExit> {
    await stopGuarded(this.#guarded, timeout);
    return await this.exited;
  }

  async pause(): Promise<void> {
    if (this.#news.over) throw this.#news.over;
    await pauseProcess(this.pid);
  }

  resume(): void {
    if (this.#news.over) throw this.#news.over;
    resumeProcess(this.pid);
  }

  logs(): string {
    return this.#output.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
