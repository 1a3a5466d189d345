/** Somebody who waits for something to happen, one at a time. */
export class Wakeable {
  #wake: (() => void) | undefined;

  wake(): void {
    this.#wake?.();
  }

  /** Resolves at the next `wake`, when `signal` aborts, or after `limit` ms. */
  wait(signal: AbortSignal, limit?: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#wake = undefined;
        resolve();
      };
      const timer = limit === undefined ? undefined : setTimeout(end, limit);
      signal.addEventListener("abort", end, { once: true });
      this.#wake = end;
    });
  }
}
