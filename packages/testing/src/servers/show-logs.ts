/** The part of vitest's test context that is needed: `(context) => ...` in `test`, `beforeEach` and the like. */
export interface FailureHook {
  onTestFailed(listener: () => void): void;
}

/** What wrote something worth reading after a failure: a private server, a spawned process. */
export interface LogSource {
  readonly name: string;
  logs(): string;
}

/**
 * Prints what the sources wrote to standard error, if the test fails; nothing otherwise. Call it as soon as they run,
 * in the test or in `beforeEach`.
 *
 * ```ts
 * test("survives a restart", async (context) => {
 *   await using redis = await startRedis({ appendOnly: "always" });
 *   showLogsOnFailure(context, redis);
 * });
 * ```
 */
export function showLogsOnFailure(hook: FailureHook, ...sources: readonly LogSource[]): void {
  hook.onTestFailed(() => {
    for (const source of sources)
      process.stderr.write(
        `\n--- ${source.name} ---\n${source.logs().trimEnd() || "(no output)"}\n--- end of ${source.name} ---\n`,
      );
  });
}
