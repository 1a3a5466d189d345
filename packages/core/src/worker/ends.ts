/** How a worker's life ends: by a stop, or by what no retry mends. Nobody needs to listen. */
export function createEnd(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/** Stops on SIGINT and SIGTERM, on a second one at once. Returns the way to leave them alone again. */
export function stopOnSignals(worker: { stop(options: { readonly timeout?: number }): Promise<void> }): () => void {
  let isSecond = false;
  const onSignal = (): void => {
    void worker.stop(isSecond ? { timeout: 0 } : {});
    isSecond = true;
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return () => process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
}
