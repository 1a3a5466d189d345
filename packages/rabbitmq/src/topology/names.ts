import { defaultPriority, type Message } from "@taskferry/core";

/** 2: priorities 7-9, 1: 4-6, 0: 0-3. */
export type Band = 0 | 1 | 2;

/** From the highest to the lowest. */
export const bands: readonly Band[] = [2, 1, 0];

const suffixes: Readonly<Record<Band, string>> = { 2: ":high", 1: "", 0: ":low" };

export function bandOf({ priority = defaultPriority }: Message): Band {
  if (priority >= 7) return 2;
  return priority >= 4 ? 1 : 0;
}

/** What things are called on the server. A colon is in no name of a queue, so that these never meet. */
export class Names {
  readonly namespace: string;
  /** By queue; made once, since each message needs one. */
  readonly #queues = new Map<string, Readonly<Record<Band, string>>>();

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  queue(queue: string, band: Band): string {
    const known = this.#queues.get(queue);
    if (known !== undefined) return known[band];
    const name = (of: Band): string => `${this.namespace}:${queue}${suffixes[of]}`;
    const names = { 0: name(0), 1: name(1), 2: name(2) };
    this.#queues.set(queue, names);
    return names[band];
  }

  dead(queue: string): string {
    return `${this.namespace}:${queue}:dead`;
  }

  /** Where messages go whose delay is over: to the queue that the end of their routing key names. */
  get deliver(): string {
    return `${this.namespace}:deliver:`;
  }

  /** Exchange and queue of one level of delays. */
  delay(level: number): string {
    return `${this.namespace}:delay:${String(level).padStart(2, "0")}`;
  }

  /** Where messages for every worker go. */
  get fanout(): string {
    return `${this.namespace}:fanout:`;
  }
}
