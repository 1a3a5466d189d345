import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import type { Surroundings } from "@taskferry/core";

/** The active context, for handlers in threads and processes: as the propagator writes it. */
export const surroundings: Surroundings = {
  // Only in its repository does this package run from source.
  module: new URL(`./surroundings.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url),
  capture: () => {
    const carrier: Record<string, string> = {};
    propagation.inject(context.active(), carrier);
    return Object.keys(carrier).length === 0 ? undefined : carrier;
  },
  restore: (captured, run) => context.with(propagation.extract(ROOT_CONTEXT, captured), run),
};
