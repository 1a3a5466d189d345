import { type Duration, parseDuration } from "../duration.ts";
import { isTaskferryError, OptionError, RetryLater } from "../errors.ts";
import { monotonicNow } from "../lifecycle.ts";
import type { Execution, Middleware, MiddlewareHost } from "../middleware.ts";
import { type ErrorMatch, matchesAny } from "./error-match.ts";

export interface CircuitBreakerOptions {
  /** Names the dependency, in logs. */
  readonly name: string;
  /** The tasks that need it, by name. Default: all. */
  readonly tasks?: readonly string[];
  /** The errors that say that it fails. Default: all but those with which a handler decides something. */
  readonly on?: readonly ErrorMatch[];
  /** So many failures within `window` open the circuit. Default 5. */
  readonly failures?: number;
  /** Default `"1m"`. */
  readonly window?: Duration;
  /** How long nothing is taken. Default `"30s"`. */
  readonly pause?: Duration;
}

/** A middleware with a look inside. */
export interface CircuitBreaker extends Middleware {
  readonly state: "closed" | "half-open" | "open";
}

/** Milliseconds after which those come again that came while one tries whether the dependency is back. */
const probePause = 1_000;

/**
 * Spares a dependency that fails, and the attempts of the tasks that need it. After `failures` failures the circuit is
 * open: the workers of this process take no more from the queues in which those tasks came, and what was taken already
 * comes again after the pause, no attempt counted. Then one task tries; its success closes the circuit, its failure opens
 * it again. Other tasks of a paused queue wait too, so tasks that need a frail dependency have best a queue of their own.
 *
 * Tasks with `acknowledge: "received"` cannot come again: they run, whatever the state.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function circuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const circuit = new Circuit(options);
  const { tasks } = options;
  return {
    name: `circuitBreaker ${options.name}`,
    get state() {
      return circuit.state;
    },
    start: async (role, host) => {
      if (role === "worker") circuit.join(host);
    },
    stop: async (_, host) => circuit.leave(host),
    execute: (execution, next) => {
      const { message, options: own } = execution;
      if (own.acknowledge === "received" || (tasks !== undefined && !tasks.includes(message.task))) return next();
      return circuit.state === "closed" ? circuit.watch(message.queue, next) : circuit.probe(execution, next);
    },
  };
}

class Circuit {
  state: CircuitBreaker["state"] = "closed";
  readonly #name: string;
  readonly #on: readonly ErrorMatch[] | undefined;
  readonly #limit: number;
  readonly #window: number;
  readonly #pause: number;
  readonly #holds = new Map<MiddlewareHost, (() => void)[]>();
  #failures: number[] = [];
  readonly #queues = new Set<string>();
  #isProbing = false;
  #opensAgain = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ name, on, failures = 5, window = "1m", pause = "30s" }: CircuitBreakerOptions) {
    if (!Number.isInteger(failures) || failures < 1)
      throw new OptionError(
        "OPTION_INVALID",
        `circuitBreaker ${name}, failures: expected a whole number from 1, got ${failures}.`,
      );
    this.#name = name;
    this.#on = on;
    this.#limit = failures;
    this.#window = parseDuration(window, `circuitBreaker ${name}, window`);
    this.#pause = parseDuration(pause, `circuitBreaker ${name}, pause`);
  }

  join(host: MiddlewareHost): void {
    this.#holds.set(host, this.state === "open" ? this.#hold(host) : []);
  }

  leave(host: MiddlewareHost): void {
    this.#letGo(host);
    this.#holds.delete(host);
    if (this.#holds.size === 0) clearTimeout(this.#timer);
  }

  async watch(queue: string, next: () => Promise<unknown>): Promise<unknown> {
    try {
      return await next();
    } catch (error) {
      if (this.state === "closed" && this.#isFailure(error)) this.#count(queue);
      throw error;
    }
  }

  async probe({ signal, message }: Execution, next: () => Promise<unknown>): Promise<unknown> {
    if (this.state === "open" && monotonicNow() >= this.#opensAgain) this.#halfOpen();
    if (this.state === "open") throw new RetryLater(Math.ceil(this.#opensAgain - monotonicNow()));
    if (this.#isProbing) throw new RetryLater(Math.min(probePause, this.#pause));
    this.#isProbing = true;
    // A handler that ignores its signal may never end.
    const onAbort = (): void => this.#decide(signal.reason, message.queue);
    signal.addEventListener("abort", onAbort);
    try {
      const value = await next();
      this.#decide(undefined, message.queue);
      return value;
    } catch (error) {
      this.#decide(error, message.queue);
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #decide(error: unknown, queue: string): void {
    if (!this.#isProbing) return;
    this.#isProbing = false;
    if (error === undefined || (this.#on !== undefined && !isDecision(error) && !this.#isFailure(error))) this.#close();
    else if (this.#isFailure(error)) this.#open(queue);
  }

  #isFailure(error: unknown): boolean {
    if (isDecision(error)) return false;
    return this.#on === undefined || isTaskferryError(error, "TASK_TIMED_OUT") || matchesAny(error, this.#on);
  }

  #count(queue: string): void {
    const now = monotonicNow();
    this.#queues.add(queue);
    this.#failures = [...this.#failures.filter((at) => now - at < this.#window), now].slice(-this.#limit);
    if (this.#failures.length >= this.#limit) this.#open(queue);
  }

  #open(queue: string): void {
    this.state = "open";
    this.#queues.add(queue);
    this.#opensAgain = monotonicNow() + this.#pause;
    for (const host of this.#holds.keys()) {
      host.logger.warn(
        { dependency: this.#name, queues: [...this.#queues], pause: this.#pause },
        "a circuit has opened",
      );
      this.#holds.set(host, this.#hold(host));
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#halfOpen(), this.#pause).unref();
  }

  #halfOpen(): void {
    if (this.state !== "open") return;
    this.state = "half-open";
    for (const host of this.#holds.keys()) this.#letGo(host);
  }

  #close(): void {
    this.state = "closed";
    this.#failures = [];
    this.#queues.clear();
    for (const host of this.#holds.keys()) host.logger.info({ dependency: this.#name }, "a circuit has closed");
  }

  #hold(host: MiddlewareHost): (() => void)[] {
    return [...this.#queues].map((queue) => host.pause(queue));
  }

  #letGo(host: MiddlewareHost): void {
    for (const letGo of this.#holds.get(host) ?? []) letGo();
    this.#holds.set(host, []);
  }
}

/** What says nothing of the dependency: a decision of the handler, or an end that came from outside. */
function isDecision(error: unknown): boolean {
  if (!isTaskferryError(error)) return false;
  return (
    ["CancelTask", "FailTask", "RetryLater"].includes(error.name) ||
    (error.name === "AbortedError" && error.code !== "TASK_TIMED_OUT")
  );
}
