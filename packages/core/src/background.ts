import { createLateBroker } from "./background/late-broker.ts";
import { untilIdle } from "./background/until-idle.ts";
import type { Handle } from "./client/handle.ts";
import { createClient } from "./client.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { ClosedError, OptionError } from "./errors.ts";
import type { HandlerContext } from "./handler.ts";
import { createId } from "./id.ts";
import { jsonLogger, type Logger } from "./logger.ts";
import { memory } from "./memory/broker.ts";
import { defineTask } from "./task.ts";
import type { EnqueueOptions } from "./task-options.ts";
import { createWorker } from "./worker.ts";

/** Work in this process that nobody waits for, and that need not survive it. Made by {@link createBackground}. */
export interface Background extends AsyncDisposable {
  /**
   * Runs a function in this process, soon, and gives the handle that an enqueue gives. When the work grows up, the line
   * becomes `client.enqueue(task, input)`, and nothing around it changes: what the function returns is serialized here,
   * too. A process that ends takes with it what has not run.
   *
   * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`; ClosedError.
   */
  background<TResult>(
    run: (context: BackgroundContext) => TResult | Promise<TResult>,
    options?: BackgroundOptions,
  ): Promise<Handle<TResult>>;
  /** The handle of work by its id; `get` of what never was here is `unknown`. */
  handle(id: string): Handle;
  /**
   * Takes no more, runs what waits for `timeout` at most (default: of the options), aborts the signals of what still
   * runs, closes. What is delayed, or waits for a retry, is lost, and logged as such. May be called twice.
   */
  close(options?: { readonly timeout?: Duration }): Promise<void>;
}

/** What the function knows of its execution, as a handler does. */
export type BackgroundContext = Pick<HandlerContext, "id" | "attempt" | "headers" | "signal" | "log" | "progress">;

export interface BackgroundOptions
  extends Pick<EnqueueOptions, "retry" | "timeout" | "delay" | "at" | "expires" | "priority" | "headers"> {
  /** It starts once this has settled, whichever way: when an answer is sent, say. */
  readonly after?: Promise<unknown>;
}

export interface BackgroundSetup {
  /** Functions that run at once. Default 100. */
  readonly concurrency?: number;
  /** How long outcomes are kept. Default `"1h"`. */
  readonly resultTtl?: Duration;
  /** How long a close waits for what is there. Default `"10s"`. */
  readonly timeout?: Duration;
  /** Told of failures and losses. Default: JSON lines on standard error. */
  readonly logger?: Logger;
}

type Run = (context: BackgroundContext) => unknown;

interface Work {
  readonly run: Run;
  handle: Handle | undefined;
}

/** @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`. */
export async function createBackground({
  concurrency = 100,
  resultTtl = "1h",
  timeout = "10s",
  logger: given = jsonLogger(),
}: BackgroundSetup = {}): Promise<Background> {
  const broker = memory();
  const late = createLateBroker(broker);
  const logger = given.child({ background: true });
  const runs = new Map<string, Work>();
  const work = defineTask<void, unknown>("background", { resultTtl });
  const longest = parseDuration(timeout, "timeout");
  const worker = createWorker({
    broker,
    handlers: [work.handler((_, context) => runs.get(context.id)?.run(context))],
    queues: { default: { concurrency } },
    name: "background",
    logger: quiet(logger),
  });
  worker.on((event) => {
    // Nobody looks into its dead letters.
    if (event.type === "task.failed") void broker.admin.purge("default", "dead");
  });
  await worker.start();
  const client = await createClient({ broker: late.broker });
  let closing: Promise<void> | undefined;

  const background = async (run: Run, { after, ...options }: BackgroundOptions = {}): Promise<Handle> => {
    if (closing !== undefined) throw new ClosedError("The background");
    if (typeof run !== "function")
      throw new OptionError("OPTION_INVALID", `background: expected a function, got ${typeof run}.`);
    const id = createId();
    if (after !== undefined) late.hold(id, after);
    const own: Work = { run, handle: undefined };
    runs.set(id, own);
    const forget = (): void => void runs.delete(id);
    try {
      const handle = await client.enqueue(work, undefined, { ...options, id });
      own.handle = handle;
      handle.outcome().then(forget, forget);
      return handle;
    } catch (error) {
      late.letGo(id);
      forget();
      throw error;
    }
  };
  const close = async (limit: number): Promise<void> => {
    await untilIdle({ worker, broker, late, limit });
    await worker.stop({ timeout: 0 });
    if (runs.size > 0) logger.warn({ count: runs.size }, "work in the background was lost");
    await client.close();
  };
  const result: Background = {
    background: background as Background["background"],
    handle: (id) => runs.get(id)?.handle ?? client.handle(work, id),
    close: (options = {}) =>
      (closing ??= close(options.timeout === undefined ? longest : parseDuration(options.timeout, "timeout"))),
    [Symbol.asyncDispose]: () => result.close(),
  };
  return result;
}

/** The life of the worker inside is nobody's concern. */
function quiet(logger: Logger): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.debug(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => quiet(logger.child(fields)),
  };
}
