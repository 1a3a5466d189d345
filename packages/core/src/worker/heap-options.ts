/** Megabytes; Node's own choice is 16. */
const youngGeneration = 64;

/**
 * Options of Node for processes that work on tasks, `--max-semi-space-size=64`: a task lives for longer than a small
 * young generation takes to fill, so that the garbage collector would copy most tasks of a busy worker. Empty where
 * whoever started this process has chosen a size, on its command line or in `NODE_OPTIONS`, and on other runtimes.
 */
export function workerHeapOptions(): readonly string[] {
  const { execArgv, env, versions } = process;
  const isChosen = [...execArgv, env["NODE_OPTIONS"] ?? ""].some((options) => options.includes("semi-space-size"));
  const isOther = versions["bun"] !== undefined || versions["deno"] !== undefined;
  return isChosen || isOther ? [] : [`--max-semi-space-size=${youngGeneration}`];
}
