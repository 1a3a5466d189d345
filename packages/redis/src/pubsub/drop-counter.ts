/** Milliseconds in which drops are gathered: a worker that is too slow drops thousands. */
const gathering = 500;

/** Counts what was dropped, by queue, and tells of it now and then. */
export class DropCounter {
  readonly #tell: (reason: string) => void;
  readonly #dropped = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (reason: string) => void) {
    this.#tell = tell;
  }

  count(queue: string): void {
    this.#dropped.set(queue, (this.#dropped.get(queue) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.close(), gathering);
  }

  /** Tells of what has not been told. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [queue, number] of this.#dropped) {
      this.#tell(
        `${number} messages of the queue "${queue}" were dropped, the oldest first: its worker takes them too slowly.`,
      );
    }
    this.#dropped.clear();
  }
}
