import type { OutgoingMessage, PublishResult } from "./broker.ts";
import { MiddlewareError } from "./errors.ts";
import { type Execution, type Middleware, readShortCircuit } from "./middleware.ts";

type Publish = (outgoing: OutgoingMessage) => Promise<PublishResult>;
type Execute = (execution: Execution, innermost: () => Promise<unknown>) => Promise<unknown>;

/** `publish` inside all middlewares that wrap enqueueing; `undefined` where none does. */
export function composeEnqueue(middlewares: readonly Middleware[], publish: Publish): Publish | undefined {
  const layers = middlewares.filter((middleware) => middleware.enqueue !== undefined);
  if (layers.length === 0) return undefined;
  return layers.reduceRight<Publish>(
    (inner, middleware) => async (outgoing) => {
      const once = callOnce(middleware.name, "enqueue");
      const result = await middleware.enqueue?.(outgoing, (passed) => once.call(() => inner(passed)));
      if (!once.wasCalled() || result === undefined)
        throw new MiddlewareError(
          `The middleware "${middleware.name}" must call next in enqueue and return its result.`,
        );
      return result;
    },
    publish,
  );
}

/** All middlewares that wrap execution as one function; `undefined` where none does. */
export function composeExecute(middlewares: readonly Middleware[]): Execute | undefined {
  const layers = middlewares.filter((middleware) => middleware.execute !== undefined);
  if (layers.length === 0) return undefined;
  return (execution, innermost) =>
    layers.reduceRight<() => Promise<unknown>>(
      (inner, middleware) => () => runLayer(middleware, execution, inner),
      innermost,
    )();
}

async function runLayer(middleware: Middleware, execution: Execution, inner: () => Promise<unknown>): Promise<unknown> {
  const once = callOnce(middleware.name, "execute");
  const returned = await middleware.execute?.(execution, () => once.call(inner));
  const circuit = readShortCircuit(returned);
  if (circuit !== undefined) return circuit.value;
  if (!once.wasCalled()) {
    throw new MiddlewareError(
      `The middleware "${middleware.name}" did not call next in execute. Call it, or return shortCircuit(value) to answer without it.`,
    );
  }
  return returned;
}

function callOnce(
  name: string,
  seam: "enqueue" | "execute",
): { readonly call: <T>(run: () => Promise<T>) => Promise<T>; readonly wasCalled: () => boolean } {
  let calls = 0;
  return {
    call: async (run) => {
      calls += 1;
      if (calls > 1) throw new MiddlewareError(`The middleware "${name}" called next twice in ${seam}. Call it once.`);
      return run();
    },
    wasCalled: () => calls > 0,
  };
}
