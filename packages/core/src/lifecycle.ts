/**
 * What can be opened and closed: brokers, result backends and state stores.
 *
 * One value may serve several owners, such as a client and a worker of the same process. So openings are counted: each
 * `connect()` is answered by one `close()`, and the last `close()` closes. A `close()` too many does nothing. After the
 * last close, `connect()` opens again. {@link countedLifecycle} does the counting.
 */
export interface Connectable extends AsyncDisposable {
  /**
   * Opens what is not open yet and resolves once it can be used. It fails fast: a server that cannot be reached within
   * the implementation's connect timeout rejects with `BROKER_UNAVAILABLE`, and wrong credentials at once. Once it has
   * resolved, later outages are the implementation's own business: it reconnects for ever, with backoff and jitter.
   */
  connect(): Promise<void>;

  /** Gives back one `connect()`. Resolves once nothing of it keeps the process alive, if it was the last. */
  close(): Promise<void>;
}

/**
 * Counts `connect()` and `close()` calls, so that `open` and `shut` run once each, one after the other, never at the
 * same time. Calls take effect in the order in which they were made. A `connect()` that fails counts for nothing.
 */
export function countedLifecycle(steps: {
  readonly open: () => Promise<void>;
  readonly shut: () => Promise<void>;
}): Connectable & { readonly isOpen: () => boolean } {
  let owners = 0;
  let tail: Promise<void> = Promise.resolve();

  const inTurn = (step: () => Promise<void>): Promise<void> => {
    const done = tail.then(step);
    tail = done.catch(() => undefined);
    return done;
  };
  const connect = (): Promise<void> =>
    inTurn(async () => {
      if (owners === 0) await steps.open();
      owners += 1;
    });
  const close = (): Promise<void> =>
    inTurn(async () => {
      if (owners === 0) return;
      owners -= 1;
      if (owners === 0) await steps.shut();
    });
  return { connect, close, isOpen: () => owners > 0, [Symbol.asyncDispose]: close };
}

/** Milliseconds on a clock that starts near the epoch and never jumps. Leases are measured on it. */
export function monotonicNow(): number {
  return performance.timeOrigin + performance.now();
}
