import { OptionError } from "./errors.ts";

export interface EventStreamOptions {
  /** Ends the stream. */
  readonly signal?: AbortSignal;
  /** Events that wait for a slow reader at most; beyond, the oldest are dropped and counted. Default 1,000. */
  readonly buffer?: number;
}

/** Events for `for await`. It listens from its making on, until it is left, its signal aborts, or its source closes. */
export interface EventStream<TEvent> extends AsyncIterableIterator<TEvent, undefined> {
  /** Events that were dropped because they waited too long to be read. */
  readonly dropped: number;
  return(): Promise<IteratorReturnResult<undefined>>;
}

/** @throws OptionError `OPTION_INVALID`. */
export function createEventStream<TEvent>(
  { signal, buffer = 1_000 }: EventStreamOptions,
  sourceEnd: AbortSignal,
  subscribe: (listener: (event: TEvent) => void) => () => void,
): EventStream<TEvent> {
  if (!Number.isInteger(buffer) || buffer < 1)
    throw new OptionError("OPTION_INVALID", `events, buffer: expected a whole number from 1, got ${buffer}.`);
  const stream = new BufferedStream<TEvent>(buffer);
  const ends = [sourceEnd, ...(signal === undefined ? [] : [signal])];
  const onEnd = (): void => stream.end();
  const unsubscribe = subscribe((event) => stream.push(event));
  stream.onEnd = () => {
    unsubscribe();
    for (const end of ends) end.removeEventListener("abort", onEnd);
  };
  for (const end of ends) end.addEventListener("abort", onEnd);
  if (ends.some(({ aborted }) => aborted)) stream.end();
  return stream;
}

class BufferedStream<TEvent> implements EventStream<TEvent> {
  dropped = 0;
  onEnd: () => void = () => undefined;
  readonly #size: number;
  #events: TEvent[] = [];
  #first = 0;
  #isEnded = false;
  readonly #readers: ((result: IteratorResult<TEvent, undefined>) => void)[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(event: TEvent): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader({ done: false, value: event });
      return;
    }
    this.#events.push(event);
    if (this.#events.length - this.#first <= this.#size) return;
    this.#first += 1;
    this.dropped += 1;
    // Cutting a list costs its length: it is done when half of it is gone.
    if (this.#first >= this.#size) this.#compact();
  }

  /** What waits can still be read. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.onEnd();
    for (const reader of this.#readers.splice(0)) reader({ done: true, value: undefined });
  }

  async next(): Promise<IteratorResult<TEvent, undefined>> {
    if (this.#first < this.#events.length) {
      const value = this.#events[this.#first] as TEvent;
      this.#first += 1;
      if (this.#first === this.#events.length || this.#first >= this.#size) this.#compact();
      return { done: false, value };
    }
    if (this.#isEnded) return { done: true, value: undefined };
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#events = [];
    this.#first = 0;
    this.end();
    return { done: true, value: undefined };
  }

  #compact(): void {
    this.#events = this.#events.slice(this.#first);
    this.#first = 0;
  }
}
