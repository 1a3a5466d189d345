import { type Duration, parseDuration } from "./duration.ts";
import { OptionError } from "./errors.ts";
import { type LimitOptions, type ResolvedLimit, resolveLimit } from "./limit.ts";
import { checkName, defaultPriority, type MessagePolicy } from "./message.ts";
import { type ResolvedUnique, resolveUnique, type UniqueOptions } from "./unique.ts";

/** How a task is run. Each can be set again for one enqueue. `docs/defaults.md` lists all defaults. */
export interface TaskOptions {
  /** The queue it waits in. Default `"default"`. */
  readonly queue?: string;
  /** What a failure leads to. Default: one attempt, then the dead letters. */
  readonly retry?: RetryOptions;
  /** How long one execution may take before its signal aborts and it counts as failed. Default: no limit. */
  readonly timeout?: Duration;
  /** 9 first, 0 last. Default 4. */
  readonly priority?: number;
  /** How long after the enqueue (or after its delay) it may still start; then it is cancelled with `TASK_EXPIRED`. Default: for ever. */
  readonly expires?: Duration;
  /** How long its outcome is kept. Default `"1d"`. */
  readonly resultTtl?: Duration;
  /**
   * When the broker may forget the message. `"stored"` (default): once the outcome is stored; a crash at any point runs
   * it again. `"executed"`: once the handler has ended; a crash before the outcome is stored loses the outcome.
   * `"received"`: before the handler starts; a crash loses the task, and there is one attempt.
   */
  readonly acknowledge?: "stored" | "executed" | "received";
}

/** How a task is defined: its options, and what no enqueue changes. */
export interface TaskDefinition<THandlerInput = unknown, TCallerInput = THandlerInput> extends TaskOptions {
  /**
   * Every worker that has a handler runs it, once at most, with one attempt; nothing is kept for a worker that is away,
   * and the handle has only an id. Refused by brokers that cannot do it. Its queue is by default its own name, so that
   * it reaches just the workers that have a handler. Default false.
   */
  readonly broadcast?: boolean;
  /**
   * Where its handler runs. `"loop"` (default): in an event loop, beside others. `"thread"`, `"process"`: in a thread or
   * process that runs one task at a time, which a timeout or a forced cancellation can end whatever the handler does, and
   * which harms no other when it crashes. Both need handlers that are named by module (`ISOLATION_NEEDS_MODULE`).
   */
  readonly isolation?: Isolation;
  /**
   * Whether it is claimed in the state store before it runs: what is delivered again while it runs elsewhere waits, what
   * has ended elsewhere is not run again, and what lost its claim ends without effect. Needs a state store. Default false.
   */
  readonly claim?: boolean;
  /**
   * Whether the state store says how far it is, for `handle.get()`: queued, running or retrying, with times, attempt and
   * worker. Needs a state store. Default false.
   */
  readonly track?: boolean;
  /** How many run and start at once, over all workers. Needs a state store. Default: no limit. */
  readonly limit?: LimitOptions<THandlerInput>;
  /** One at a time for each key: an enqueue while there is one adds no other. Needs a state store. Default: as many as come. */
  readonly unique?: UniqueOptions<TCallerInput>;
}

/** Options of one enqueue; those of the task that are set here hold for this enqueue alone. */
export interface EnqueueOptions extends TaskOptions {
  /** The task's id: 1 to 200 letters, digits, `_.:-`. Enqueueing an id again while the broker remembers it does nothing. Default: a UUID of version 7. */
  readonly id?: string;
  /** How long it waits before it may start, by the broker's clock. Not together with `at`. */
  readonly delay?: Duration;
  /** The wall-clock time before which it must not start: a date or epoch milliseconds. One in the past means now. */
  readonly at?: Date | number;
  /** Travels to the handler; names as of tasks, all headers together at most 8 KiB. */
  readonly headers?: Readonly<Record<string, string>>;
}

export type Isolation = "loop" | "thread" | "process";

export interface RetryOptions {
  /** Executions that may fail, the first included: 1 to 1,000. Default 1. */
  readonly attempts?: number;
  /**
   * The n-th retry waits a random time between 0 and `from` times 2 to the power of n - 1, at most `to` ("full jitter").
   * Default `{ from: "1s", to: "5m" }`.
   */
  readonly backoff?: { readonly from: Duration; readonly to: Duration };
}

/** Task options with every default filled in and durations in milliseconds. */
export interface ResolvedTaskOptions {
  readonly queue: string;
  readonly retry: { readonly attempts: number; readonly backoff: { readonly from: number; readonly to: number } };
  readonly timeout: number | undefined;
  readonly priority: number;
  readonly expires: number | undefined;
  readonly resultTtl: number;
  readonly acknowledge: "stored" | "executed" | "received";
  readonly broadcast: boolean;
  readonly isolation: Isolation;
  readonly claim: boolean;
  readonly track: boolean;
  readonly limit: ResolvedLimit | undefined;
  readonly unique: ResolvedUnique | undefined;
}

export const defaultTaskOptions: ResolvedTaskOptions = {
  queue: "default",
  retry: { attempts: 1, backoff: { from: 1_000, to: 300_000 } },
  timeout: undefined,
  priority: defaultPriority,
  expires: undefined,
  resultTtl: 86_400_000,
  acknowledge: "stored",
  broadcast: false,
  isolation: "loop",
  claim: false,
  track: false,
  limit: undefined,
  unique: undefined,
};

/**
 * The options of a task that is being defined. Those that a broadcast cannot keep are refused here already.
 *
 * @throws OptionError `OPTION_INVALID`, `NAME_INVALID`, `DURATION_INVALID`.
 */
export function resolveDefinition(
  name: string,
  {
    broadcast = false,
    isolation = "loop",
    claim = false,
    track = false,
    limit,
    unique,
    ...options
  }: TaskDefinition<never>,
): ResolvedTaskOptions {
  const subject = `task ${name}`;
  if (isolation !== "loop" && isolation !== "thread" && isolation !== "process")
    throw invalid(`${subject}, isolation`, '"loop", "thread" or "process"', isolation);
  if (typeof broadcast !== "boolean") throw invalid(`${subject}, broadcast`, "true or false", broadcast);
  if (typeof claim !== "boolean") throw invalid(`${subject}, claim`, "true or false", claim);
  if (typeof track !== "boolean") throw invalid(`${subject}, track`, "true or false", track);
  if (claim && options.acknowledge === "received")
    throw invalid(`${subject}, claim`, 'none with `acknowledge: "received"`, since nothing comes again', claim);
  if (!broadcast)
    return resolveTaskOptions(options, subject, {
      ...defaultTaskOptions,
      isolation,
      claim,
      track,
      limit: resolveLimit(limit, subject),
      unique: resolveUnique(unique, subject),
    });
  if (claim) throw invalid(`${subject}, claim`, "none, since a broadcast runs in every worker", claim);
  if (track) throw invalid(`${subject}, track`, "none, since a broadcast runs in every worker", track);
  if (limit !== undefined) throw invalid(`${subject}, limit`, "none, since a broadcast runs in every worker", limit);
  if (unique !== undefined) throw invalid(`${subject}, unique`, "none, since a broadcast waits in no queue", unique);
  const base = { ...defaultTaskOptions, isolation, broadcast, queue: name, acknowledge: "received" } as const;
  const resolved = resolveTaskOptions(options, subject, base);
  if (resolved.retry.attempts > 1)
    throw invalid(`${subject}, retry.attempts`, "1, since a broadcast cannot be retried", resolved.retry.attempts);
  if (resolved.acknowledge !== "received")
    throw invalid(`${subject}, acknowledge`, '"received", since a broadcast is kept nowhere', resolved.acknowledge);
  if (resolved.priority !== defaultPriority)
    throw invalid(`${subject}, priority`, "none, since a broadcast waits in no queue", resolved.priority);
  return resolved;
}

/**
 * Fills in defaults and checks ranges.
 *
 * @param subject - opens the error messages.
 * @throws OptionError `OPTION_INVALID`, `NAME_INVALID`, `DURATION_INVALID`.
 */
export function resolveTaskOptions(
  options: TaskOptions,
  subject: string,
  base: ResolvedTaskOptions = defaultTaskOptions,
): ResolvedTaskOptions {
  const attempts = options.retry?.attempts ?? base.retry.attempts;
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 1_000)
    throw invalid(`${subject}, retry.attempts`, "a whole number from 1 to 1,000", attempts);
  const priority = options.priority ?? base.priority;
  if (!Number.isInteger(priority) || priority < 0 || priority > 9)
    throw invalid(`${subject}, priority`, "a whole number from 0 to 9", priority);
  const acknowledge = options.acknowledge ?? base.acknowledge;
  if (acknowledge !== "stored" && acknowledge !== "executed" && acknowledge !== "received") {
    throw invalid(`${subject}, acknowledge`, '"stored", "executed" or "received"', acknowledge);
  }
  const timeout = options.timeout === undefined ? base.timeout : parseDuration(options.timeout, `${subject}, timeout`);
  if (timeout === 0) throw invalid(`${subject}, timeout`, "more than 0 ms", timeout);
  return {
    ...base,
    queue: options.queue === undefined ? base.queue : checkName("queue", options.queue),
    retry: { attempts, backoff: resolveBackoff(options.retry?.backoff, subject) ?? base.retry.backoff },
    timeout,
    priority,
    expires: options.expires === undefined ? base.expires : parseDuration(options.expires, `${subject}, expires`),
    resultTtl:
      options.resultTtl === undefined ? base.resultTtl : parseDuration(options.resultTtl, `${subject}, resultTtl`),
    acknowledge,
  };
}

/** What of `options` must travel with a message because the worker applies it: nothing unless set for this enqueue. */
export function toPolicy(options: TaskOptions, resolved: ResolvedTaskOptions): MessagePolicy | undefined {
  const { retry, timeout, resultTtl, acknowledge } = options;
  if (retry === undefined && timeout === undefined && resultTtl === undefined && acknowledge === undefined)
    return undefined;
  return {
    ...(retry?.attempts !== undefined && { attempts: resolved.retry.attempts }),
    ...(retry?.backoff !== undefined && { backoff: resolved.retry.backoff }),
    ...(resolved.timeout !== undefined && timeout !== undefined && { timeout: resolved.timeout }),
    ...(resultTtl !== undefined && { resultTtl: resolved.resultTtl }),
    ...(acknowledge !== undefined && { acknowledge: resolved.acknowledge }),
  };
}

/** The options that hold for one message: its policy over those of its task. */
export function applyPolicy(policy: MessagePolicy | undefined, base: ResolvedTaskOptions): ResolvedTaskOptions {
  if (policy === undefined) return base;
  const { attempts, backoff, timeout, resultTtl, acknowledge } = policy;
  const retry = { ...(attempts !== undefined && { attempts }), ...(backoff !== undefined && { backoff }) };
  return resolveTaskOptions(
    {
      retry,
      ...(timeout !== undefined && { timeout }),
      ...(resultTtl !== undefined && { resultTtl }),
      ...(acknowledge !== undefined && { acknowledge }),
    },
    "policy of the message",
    base,
  );
}

function resolveBackoff(
  backoff: RetryOptions["backoff"],
  subject: string,
): { readonly from: number; readonly to: number } | undefined {
  if (backoff === undefined) return undefined;
  const from = parseDuration(backoff.from, `${subject}, retry.backoff.from`);
  const to = parseDuration(backoff.to, `${subject}, retry.backoff.to`);
  if (to < from) throw invalid(`${subject}, retry.backoff`, "`to` not below `from`", backoff);
  return { from, to };
}

function invalid(option: string, expected: string, found: unknown): OptionError {
  return new OptionError("OPTION_INVALID", `${option}: expected ${expected}, got ${JSON.stringify(found)}.`);
}
