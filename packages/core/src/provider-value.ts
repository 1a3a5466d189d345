import { ProviderError } from "./errors.ts";
import type { Provider } from "./provider.ts";

/** Why a task failed; wrapped, because anything may be thrown. */
export interface Failure {
  readonly error: unknown;
}

/** A value that was made, and the way to give it back. */
export interface Held {
  readonly provider: Provider;
  readonly value: unknown;
  /** Runs the clean-up; absent where there is none. Rejects with what it throws, unless that is the failure itself. */
  readonly end: ((failure: Failure | undefined) => Promise<void>) | undefined;
}

type AnyGenerator = AsyncGenerator | Generator;

/** Runs a factory up to its value. */
export async function makeValue(provider: Provider, given: object): Promise<Held> {
  const returned = provider.make(given as never);
  if (!isGenerator(returned)) return { provider, value: await returned, end: undefined };
  const { done, value } = await returned.next();
  if (done === true) throw new ProviderError(provider.name, "its generator ended before it yielded a value");
  return { provider, value, end: (failure) => endGenerator(provider, returned, failure) };
}

async function endGenerator(provider: Provider, generator: AnyGenerator, failure: Failure | undefined): Promise<void> {
  try {
    const { done } = await (failure === undefined ? generator.next() : generator.throw(failure.error));
    if (done === true) return;
  } catch (error) {
    if (failure !== undefined && error === failure.error) return;
    throw error;
  }
  await generator.return(undefined);
  throw new ProviderError(provider.name, "its generator yielded a second value");
}

function isGenerator(value: unknown): value is AnyGenerator {
  if (typeof value !== "object" || value === null) return false;
  const { next, throw: fail } = value as { readonly next?: unknown; readonly throw?: unknown };
  const isIterable = Symbol.asyncIterator in value || Symbol.iterator in value;
  return isIterable && typeof next === "function" && typeof fail === "function";
}
