import { monotonicNow } from "../../lifecycle.ts";

/** One execution that was sent here and has not begun. */
export interface Entry {
  /** The number of its run. */
  readonly run: number;
  readonly queue: string;
  /** Handlers of its queue that run at once. */
  readonly slots: number;
  /** @param waited - milliseconds. */
  readonly begin: (waited: number) => void;
}

interface Line {
  running: number;
  readonly waiting: { readonly entry: Entry; readonly since: number }[];
}

/** Milliseconds that an execution may wait for a slot here, while another worker may be idle. */
const longestWait = 100;

/**
 * Keeps the slots of queues where handlers run: a worker sends more than may run at once, so that neither waits for the
 * other.
 */
export class Slots {
  readonly #lines = new Map<string, Line>();
  readonly #onAged: (run: number) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param onAged - told of what has waited too long, and waits no more. */
  constructor(onAged: (run: number) => void) {
    this.#onAged = onAged;
  }

  /** Begins an execution, now or when its queue has a slot. */
  enter(entry: Entry): void {
    const line = this.#lineOf(entry.queue);
    if (line.running < entry.slots && line.waiting.length === 0) return begin(line, entry, 0);
    line.waiting.push({ entry, since: monotonicNow() });
    this.#timer ??= setInterval(() => this.#age(), longestWait / 2);
  }

  /** To be told of each that had begun and has ended. */
  leave(queue: string): void {
    const line = this.#lineOf(queue);
    line.running -= 1;
    for (let next = line.waiting[0]; next !== undefined && line.running < next.entry.slots; next = line.waiting[0]) {
      line.waiting.shift();
      begin(line, next.entry, Math.round(monotonicNow() - next.since));
    }
  }

  /** Answers whether it had been waiting; it is not any more. */
  withdraw(run: number): boolean {
    for (const { waiting } of this.#lines.values()) {
      const index = waiting.findIndex(({ entry }) => entry.run === run);
      if (index !== -1) return waiting.splice(index, 1).length > 0;
    }
    return false;
  }

  /** Takes out all that wait, of one queue or of all, and answers with their runs. */
  empty(queue?: string): readonly number[] {
    const lines = queue === undefined ? [...this.#lines.values()] : [this.#lineOf(queue)];
    return lines.flatMap(({ waiting }) => waiting.splice(0).map(({ entry }) => entry.run));
  }

  #lineOf(queue: string): Line {
    let line = this.#lines.get(queue);
    if (line === undefined) {
      line = { running: 0, waiting: [] };
      this.#lines.set(queue, line);
    }
    return line;
  }

  #age(): void {
    const limit = monotonicNow() - longestWait;
    let left = 0;
    for (const { waiting } of this.#lines.values()) {
      const young = waiting.findIndex(({ since }) => since >= limit);
      const aged = waiting.splice(0, young === -1 ? waiting.length : young);
      for (const { entry } of aged) this.#onAged(entry.run);
      left += waiting.length;
    }
    if (left === 0) this.#stopTimer();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function begin(line: Line, entry: Entry, waited: number): void {
  line.running += 1;
  entry.begin(waited);
}
