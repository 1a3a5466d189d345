import { OptionError } from "./errors.ts";
import type { HandlerContext } from "./handler.ts";
import type { Logger } from "./logger.ts";
import { checkName } from "./message.ts";

const providerBrand = Symbol.for("taskferry.provider");

/**
 * Something that handlers need and do not make themselves, such as a pool of connections. A value that importing makes
 * nothing of: its factory runs in a worker, once per scope.
 */
export interface Provider<out TValue = unknown, out TScope extends ProviderScopeName = ProviderScopeName> {
  /** Names it in errors. */
  readonly name: string;
  /** For how long a value lives: `"worker"` (a thread or process of isolated handlers has its own) or one `"task"`. */
  readonly scope: TScope;
  /** Made when the worker starts, and not at the first task that needs it. */
  readonly eager: boolean;
  readonly needs: ProviderNeeds;
  readonly make: (given: never) => unknown;
  /** For the `overrides` of a test: `value` in its place. Its factory does not run, and `value` is not disposed of. */
  override(value: NoInfer<TValue>): ProviderOverride;
}

export type ProviderScopeName = "task" | "worker";

/** Providers by the name under which whoever needs them gets their values. */
export type ProviderNeeds<TScope extends ProviderScopeName = ProviderScopeName> = {
  readonly [name: string]: Provider<unknown, TScope>;
};

/** What a handler gets of `{ db, user }`. */
export type ProvidedValues<TNeeds extends ProviderNeeds> = {
  readonly [TName in keyof TNeeds]: TNeeds[TName] extends Provider<infer TValue> ? TValue : never;
};

export interface ProviderOverride {
  readonly provider: Provider;
  readonly value: unknown;
}

/** What a provider of the worker knows beside what it needs. */
export interface WorkerContext {
  /** The worker's name. */
  readonly worker: string;
  readonly log: Logger;
}

export interface ProviderOptions<TScope extends ProviderScopeName, TNeeds> {
  readonly scope: TScope;
  /** Makes it when the worker starts; a failure fails the start. For `"worker"` alone. Default false: at first use. */
  readonly eager?: TScope extends "worker" ? boolean : false;
  /** Providers whose values the factory gets, under these names. A provider of the worker can need those alone. */
  readonly needs?: TNeeds;
}

/** What a factory gets: the values it needs, and the context of its scope. */
type FactoryInput<TScope extends ProviderScopeName, TNeeds extends ProviderNeeds> = Omit<
  ProvidedValues<TNeeds>,
  "context"
> & {
  readonly context: TScope extends "worker" ? WorkerContext : HandlerContext;
};

/** What a factory makes: what it returns or, of a generator, what it yields. */
type Made<TReturned> = TReturned extends AsyncGenerator<infer TValue> | Generator<infer TValue>
  ? TValue
  : Awaited<TReturned>;

/** A provider outlives those that need it, so one of the worker cannot need one of a task. */
type NeedsOf<TScope extends ProviderScopeName> = ProviderNeeds<
  TScope extends "worker" ? "worker" : ProviderScopeName
> & {
  readonly context?: never;
};

/**
 * Defines something that handlers need: `task.handler({ db }, async (input, { db }) => ...)`.
 *
 * The factory returns a value or a promise, or is a generator (asynchronous or not) that yields one: what follows the
 * `yield` is its clean-up, after the task or at the worker's stop, in reverse order of making. The error of a task that
 * failed is thrown at the `yield`: there a transaction is rolled back. A clean-up that fails fails its task; one that
 * swallows the task's error changes nothing.
 *
 * What a factory throws fails the task that needed it, as if its handler had thrown it; the next task tries again.
 *
 * @throws OptionError `NAME_INVALID`, `OPTION_INVALID`.
 */
export function provide<
  TScope extends ProviderScopeName,
  TReturned,
  TNeeds extends NeedsOf<TScope> = Readonly<Record<never, never>>,
>(
  name: string,
  make: (given: FactoryInput<TScope, TNeeds>) => TReturned,
  options: ProviderOptions<TScope, TNeeds>,
): Provider<Made<TReturned>, TScope> {
  const { scope, eager = false, needs }: Partial<ProviderOptions<TScope, TNeeds>> = options ?? {};
  const subject = `provider ${checkName("provider", name)}`;
  if (typeof make !== "function") throw invalid(`${subject}: expected a factory, a function, got ${typeof make}.`);
  if (scope !== "worker" && scope !== "task")
    throw invalid(`${subject}, scope: expected "worker" or "task", got ${JSON.stringify(scope)}.`);
  if (typeof eager !== "boolean" || (eager && scope !== "worker"))
    throw invalid(`${subject}, eager: expected true for the scope "worker" alone, got ${JSON.stringify(eager)}.`);
  return createProvider({ name, scope, eager, needs: checkNeeds(subject, needs ?? {}, { context: true }), make });
}

/** A provider of a value that is there already, for what tests override. */
export function provideValue<TValue>(name: string, value: TValue): Provider<TValue, "worker"> {
  const subject = checkName("provider", name);
  return createProvider({ name: subject, scope: "worker", eager: false, needs: {}, make: () => value });
}

/** Whether `value` was made by `provide`, of whichever copy of this package. */
export function isProvider(value: unknown): value is Provider {
  return typeof value === "object" && value !== null && providerBrand in value;
}

/**
 * Checks the names of `needs` and leaves the rest for the start: in modules that import each other a provider may still
 * be missing when this runs.
 *
 * @throws OptionError `OPTION_INVALID` for no object, and for a name that is taken.
 */
export function checkNeeds(subject: string, needs: unknown, taken: Readonly<Record<string, true>>): ProviderNeeds {
  if (typeof needs !== "object" || needs === null || isProvider(needs))
    throw invalid(
      `${subject}: expected its providers by name, such as { db }, got ${isProvider(needs) ? "a provider" : typeof needs}.`,
    );
  const clash = Object.keys(needs).find((name) => Object.hasOwn(taken, name));
  if (clash !== undefined)
    throw invalid(
      `${subject}: "${clash}" is a name of the context already. Give the provider another: { other: provider }.`,
    );
  return needs as ProviderNeeds;
}

function createProvider<TValue, TScope extends ProviderScopeName>(
  parts: Omit<Provider<TValue, TScope>, "override">,
): Provider<TValue, TScope> {
  const provider: Provider<TValue, TScope> & { readonly [providerBrand]: true } = {
    [providerBrand]: true,
    ...parts,
    override: (value) => ({ provider, value }),
  };
  return Object.freeze(provider);
}

function invalid(message: string): OptionError {
  return new OptionError("OPTION_INVALID", message);
}
