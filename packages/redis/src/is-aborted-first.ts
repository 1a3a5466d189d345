/** Resolves to whether `signal` aborted, and `grace` milliseconds passed, before `work` was done or failed. */
export function isAbortedFirst(work: Promise<unknown>, signal: AbortSignal, grace: number): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      timer = setTimeout(() => resolve(true), grace);
    };
    const onDone = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(false);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(onDone, onDone);
  });
}
