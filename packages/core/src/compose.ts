import type { OutgoingMessage, PublishResult } from "./broker.ts";
import { isTaskferryError, MiddlewareError } from "./errors.ts";
import { type Execution, type Middleware, readShortCircuit } from "./middleware.ts";

type Publish = (outgoing: OutgoingMessage) => Promise<PublishResult>;
type Execute = (execution: Execution, innermost: () => Promise<unknown>) => Promise<unknown>;

/** `publish` inside all middlewares that wrap enqueueing; `undefined` where none does. */
export function composeEnqueue(middlewares: readonly Middleware[], publish: Publish): Publish | undefined {
  const layers = middlewares.filter((middleware) => middleware.enqueue !== undefined);
  if (layers.length === 0) return undefined;
  return layers.reduceRight<Publish>(
    (inner, middleware) => async (outgoing) => {
      let calls = 0;
      const next = (passed: OutgoingMessage): Promise<PublishResult> => {
        calls += 1;
        return calls > 1 ? refuse(calledTwice(middleware.name, "enqueue")) : inner(passed);
      };
      const result = await middleware.enqueue?.(outgoing, next);
      if (calls === 0 || result === undefined)
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
  return middlewares.reduceRight<Execute | undefined>((inner, middleware) => {
    if (middleware.execute === undefined) return inner;
    if (inner === undefined) return (execution, innermost) => runLayer(middleware, execution, innermost);
    return (execution, innermost) => runLayer(middleware, execution, () => inner(execution, innermost));
  }, undefined);
}

async function runLayer(middleware: Middleware, execution: Execution, inner: () => Promise<unknown>): Promise<unknown> {
  let calls = 0;
  const inside: { state: "waiting" | "running" | "returned" | "thrown" } = { state: "waiting" };
  const next = (): Promise<unknown> => {
    calls += 1;
    if (calls > 1) return refuse(calledTwice(middleware.name, "execute"));
    inside.state = "running";
    const running = inner();
    // Also for a middleware that does not wait: nobody else would hear of a rejection then.
    running.then(
      () => {
        inside.state = "returned";
      },
      () => {
        inside.state = "thrown";
      },
    );
    return running;
  };
  let returned: unknown;
  try {
    returned = await middleware.execute?.(execution, next);
  } catch (error) {
    if (inside.state === "thrown" || isTaskferryError(error)) throw error;
    throw failed(middleware.name, error);
  }
  if (calls > 1) throw calledTwice(middleware.name, "execute");
  const circuit = typeof returned === "object" ? readShortCircuit(returned) : undefined;
  if (circuit !== undefined) return circuit.value;
  const { state } = inside;
  if (state === "waiting" || state === "running") throw forgotten(middleware.name, state);
  return returned;
}

/** A rejection that is for whoever waits, if anybody does. */
function refuse(error: MiddlewareError): Promise<never> {
  const refused = Promise.reject(error);
  refused.catch(() => undefined);
  return refused;
}

function forgotten(name: string, state: "waiting" | "running"): MiddlewareError {
  const fault = state === "waiting" ? "did not call next" : "did not wait for next";
  return new MiddlewareError(
    `The middleware "${name}" ${fault} in execute. Await it, or return shortCircuit(value) to answer without it.`,
  );
}

function failed(name: string, cause: unknown): MiddlewareError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new MiddlewareError(`The middleware "${name}" failed: ${text}`, { code: "MIDDLEWARE_FAILED", cause });
}

function calledTwice(name: string, seam: "enqueue" | "execute"): MiddlewareError {
  return new MiddlewareError(`The middleware "${name}" called next twice in ${seam}. Call it once.`);
}
