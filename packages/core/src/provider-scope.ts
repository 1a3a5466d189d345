import { ClosedError, isTaskferryError, ProviderError } from "./errors.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import type { Logger } from "./logger.ts";
import type { Provider, ProviderOverride, WorkerContext } from "./provider.ts";
import { collectProviders } from "./provider-graph.ts";
import { type Failure, type Held, makeValue } from "./provider-value.ts";

/**
 * Where the values of providers live: one in each worker, thread or process that runs handlers. A handler without needs
 * passes through it and costs nothing.
 */
export interface ProviderScope {
  /**
   * Checks what `handlers` need, and makes what is eager of the needs of those that run here.
   *
   * @throws ConfigurationError `PROVIDER_CYCLE`, `CONFIGURATION_INVALID`; ProviderError `PROVIDER_FAILED`.
   */
  start(handlers: Iterable<Handler>, runsHere?: (handler: Handler) => boolean): Promise<void>;
  /** Runs a handler with the values that it needs; rejects with what it, a factory or a clean-up threw. */
  run(handler: Handler, execution: ScopedExecution): unknown;
  /** Ends the values of the worker, the last made first. Never rejects: what fails is logged. May be called twice. */
  close(): Promise<void>;
}

export interface ScopedExecution {
  readonly input: unknown;
  /** The values are written into it. */
  readonly context: HandlerContext;
  /** Called once the values are there, as the handler begins. */
  readonly onBegin?: () => void;
  /** Why the execution counts as failed although the handler returned, such as its timeout. */
  readonly findFailure?: () => unknown;
}

export interface ProviderScopeParts {
  readonly context: WorkerContext;
  readonly overrides?: readonly ProviderOverride[];
}

/** Milliseconds that one clean-up may take when a worker stops; then the stop goes on without it. */
const longestCleanUp = 10_000;

export function createProviderScope({ context, overrides = [] }: ProviderScopeParts): ProviderScope {
  const replaced = new Map(overrides.map(({ provider, value }) => [provider, value]));
  const lifetime = new Lifetime();
  const closing = new AbortController();
  const resolver: Resolver = { replaced, worker: { lifetime, context } };
  return {
    start: async (handlers, runsHere = () => true) => {
      const all = [...handlers];
      collectProviders(all, replaced);
      for (const provider of collectProviders(all.filter(runsHere), replaced))
        if (provider.eager) await untilClosed(makeEager(provider, resolver), closing.signal);
    },
    run: (handler, execution) => {
      const { needs } = handler;
      const values = needs === undefined ? noValues : findAllReady(needs, resolver);
      return values === undefined ? runWithValues(handler, execution, resolver) : runWith(handler, execution, values);
    },
    close: () => {
      closing.abort(new ClosedError("The worker"));
      return endWorker(lifetime, context.log);
    },
  };
}

/** What connects may do so for ever; nobody waits for it once all is over. What it makes after all is ended then. */
async function untilClosed(making: Promise<void>, closing: AbortSignal): Promise<void> {
  let onClose: (() => void) | undefined;
  const closed = new Promise<never>((_, reject) => {
    onClose = () => reject(closing.reason);
    closing.addEventListener("abort", onClose);
  });
  try {
    await Promise.race([making, closed]);
  } finally {
    if (onClose !== undefined) closing.removeEventListener("abort", onClose);
  }
}

interface Place<TContext> {
  readonly lifetime: Lifetime;
  readonly context: TContext;
}

interface Resolver {
  readonly replaced: ReadonlyMap<Provider, unknown>;
  readonly worker: Place<WorkerContext>;
  readonly task?: Place<HandlerContext>;
}

/** Values that end together. */
class Lifetime {
  /** In the order in which they were made. */
  readonly ready = new Map<Provider, Held>();
  readonly #pending = new Map<Provider, Promise<unknown>>();
  #isOver = false;

  /** One value, however many ask for it at once. A failure is forgotten, so that the next who asks tries again. */
  get(provider: Provider, make: () => Promise<Held>): Promise<unknown> {
    const pending = this.#pending.get(provider) ?? this.#make(provider, make);
    this.#pending.set(provider, pending);
    return pending;
  }

  /** Gives out what was made, the last first, for it to be ended. Nothing is kept from now on. */
  *takeAll(): Generator<Held> {
    this.#isOver = true;
    for (const held of [...this.ready.values()].reverse()) {
      this.ready.delete(held.provider);
      yield held;
    }
  }

  async #make(provider: Provider, make: () => Promise<Held>): Promise<unknown> {
    try {
      const held = await make();
      if (this.#isOver) await held.end?.(undefined);
      else this.ready.set(provider, held);
      return held.value;
    } finally {
      this.#pending.delete(provider);
    }
  }
}

/** Ends the values of a task. Resolves to why it failed: the failure that it had, or the first of a clean-up. */
async function endTask(lifetime: Lifetime, failure: Failure | undefined, log: Logger): Promise<Failure | undefined> {
  let learnt = failure;
  for (const held of lifetime.takeAll()) {
    try {
      // What ends later learns of a clean-up that failed: without a commit inside there is no success outside.
      await held.end?.(learnt);
    } catch (error) {
      if (learnt === undefined) learnt = { error };
      else logCleanUp(log, held, error);
    }
  }
  return learnt;
}

async function endWorker(lifetime: Lifetime, log: Logger): Promise<void> {
  for (const held of lifetime.takeAll()) {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      const error = new ProviderError(held.provider.name, `its clean-up took longer than ${longestCleanUp} ms`);
      timer = setTimeout(() => reject(error), longestCleanUp);
    });
    try {
      await Promise.race([held.end?.(undefined), over]);
    } catch (error) {
      logCleanUp(log, held, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function logCleanUp(log: Logger, { provider }: Held, error: unknown): void {
  log.error({ error, provider: provider.name }, "the clean-up of a provider failed");
}

function runWith(
  handler: Handler,
  { input, context, onBegin }: ScopedExecution,
  values: Readonly<Record<string, unknown>>,
): unknown {
  Object.assign(context, values);
  onBegin?.();
  return handler.run(input, context);
}

async function runWithValues(
  handler: Handler,
  execution: ScopedExecution,
  { replaced, worker }: Resolver,
): Promise<unknown> {
  const { context, findFailure } = execution;
  const lifetime = new Lifetime();
  let returned: unknown;
  let thrown: Failure | undefined;
  try {
    const values = await resolve(handler.needs ?? {}, { replaced, worker, task: { lifetime, context } });
    returned = await runWith(handler, execution, values);
  } catch (error) {
    thrown = { error };
  }
  if (lifetime.ready.size > 0) {
    const found = thrown === undefined ? findFailure?.() : undefined;
    const failure = found === undefined ? thrown : { error: found };
    const learnt = await endTask(lifetime, failure, context.log);
    // A failure that was found is for whoever found it to decide.
    if (found === undefined) thrown = learnt;
  }
  if (thrown !== undefined) throw thrown.error;
  return returned;
}

async function resolve(
  needs: Readonly<Record<string, unknown>>,
  resolver: Resolver,
): Promise<Readonly<Record<string, unknown>>> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(needs)) {
    const provider = needs[name] as Provider;
    const ready = findReady(provider, resolver);
    values[name] = ready === undefined ? await request(provider, resolver) : ready.value;
  }
  return values;
}

const noValues = {};

/** What a handler needs where all of it lives as long as the worker and is there: most tasks wait for nothing. */
function findAllReady(
  needs: Readonly<Record<string, unknown>>,
  resolver: Resolver,
): Readonly<Record<string, unknown>> | undefined {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(needs)) {
    const ready = findReady(needs[name] as Provider, resolver);
    if (ready === undefined) return undefined;
    values[name] = ready.value;
  }
  return values;
}

/** What needs no waiting. */
function findReady(provider: Provider, { replaced, worker, task }: Resolver): { readonly value: unknown } | undefined {
  if (replaced.size > 0 && replaced.has(provider)) return { value: replaced.get(provider) };
  return (provider.scope === "worker" ? worker : task)?.lifetime.ready.get(provider);
}

function request(provider: Provider, resolver: Resolver): Promise<unknown> {
  // What a worker keeps must know nothing of the task that happened to need it first.
  const inner = provider.scope === "worker" ? { replaced: resolver.replaced, worker: resolver.worker } : resolver;
  const place = inner.task ?? inner.worker;
  return place.lifetime.get(provider, async () =>
    makeValue(provider, { ...(await resolve(provider.needs, inner)), context: place.context }),
  );
}

async function makeEager(provider: Provider, resolver: Resolver): Promise<void> {
  try {
    await request(provider, resolver);
  } catch (error) {
    if (isTaskferryError(error, "PROVIDER_FAILED")) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new ProviderError(provider.name, text, { cause: error });
  }
}
