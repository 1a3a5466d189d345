import type { Middleware, Surroundings } from "./middleware.ts";

/** What was captured, by the name of the middleware that did. */
export type Captured = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface NamedSurroundings extends Pick<Surroundings, "capture" | "restore"> {
  readonly name: string;
}

/** Those of middlewares that have any. */
export function findSurroundings(
  middlewares: readonly Middleware[],
): readonly (NamedSurroundings & { readonly module: string })[] {
  return middlewares.flatMap(({ name, surroundings }) =>
    surroundings === undefined
      ? []
      : {
          name,
          module: String(surroundings.module),
          capture: () => surroundings.capture(),
          restore: (captured, run) => surroundings.restore(captured, run),
        },
  );
}

export function capture(all: readonly NamedSurroundings[]): Captured | undefined {
  const captured = all.flatMap((one) => {
    const values = one.capture();
    return values === undefined ? [] : [[one.name, values] as const];
  });
  return captured.length === 0 ? undefined : Object.fromEntries(captured);
}

/** Calls `run` inside all that was captured; the first listed is outermost. */
export function restore<T>(all: readonly NamedSurroundings[], captured: Captured | undefined, run: () => T): T {
  if (captured === undefined) return run();
  return all.reduceRight<() => T>((inner, one) => {
    const values = captured[one.name];
    return values === undefined ? inner : () => one.restore(values, inner);
  }, run)();
}
