import type { Duration } from "@taskferry/core";
import type { WaitOptions } from "../waiters.ts";
import type { ProcessExit } from "./guarded-process.ts";

/** What goes between a test and its processes: a plain object that says what it is. */
export interface ProcessMessage {
  readonly type: string;
}

/**
 * A program of its own, for a test that wants to send it signals.
 *
 * It tells the test what happens by `process.send({ type: "ready" })`. A message is kept until somebody waits for it, so
 * none is missed, and is handed out once. The program never outlives the process that spawned it, not even when that is
 * killed by SIGKILL.
 */
export interface SpawnedProcess<M extends ProcessMessage = ProcessMessage> extends AsyncDisposable {
  /** The name of the file it runs. */
  readonly name: string;

  readonly pid: number;

  /** Resolves when it has ended, however that was. Never rejects. */
  readonly exited: Promise<ProcessExit>;

  /**
   * Resolves with the next message of that type, one that has come already included.
   *
   * @throws `PROCESS_ENDED` with its output when it ends without sending one, `WAIT_TIMED_OUT`.
   */
  waitFor<T extends M["type"]>(type: T, options?: WaitOptions): Promise<Extract<M, { readonly type: T }>>;

  /**
   * Resolves once its output matches, what it has written already included.
   *
   * @throws `PROCESS_ENDED` with its output when it ends without writing that, `WAIT_TIMED_OUT`.
   */
  waitForOutput(pattern: RegExp, options?: WaitOptions): Promise<RegExpMatchArray>;

  /**
   * Sends it a message, which it receives by `process.on("message", ...)`.
   *
   * @throws `PROCESS_ENDED` when it runs no more.
   */
  send(message: ProcessMessage): void;

  /** Ends it by SIGKILL, with whatever it has started in its process group. Nothing happens when it has ended. */
  kill(): Promise<ProcessExit>;

  /**
   * Asks it by SIGTERM to stop, and waits until it has. Nothing happens when it has ended.
   *
   * @param timeout - default: 30 seconds.
   * @throws `PROCESS_NOT_STOPPED` when it has not stopped by then. It is killed then.
   */
  stop(timeout?: Duration): Promise<ProcessExit>;

  /** Stops its clock by SIGSTOP: it holds whatever it holds, and does nothing. */
  pause(): Promise<void>;

  /** Lets it go on after `pause()`, by SIGCONT. */
  resume(): void;

  /** What it wrote to standard output and error: the last 256 Ki characters. */
  logs(): string;

  /** The same as `kill()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
