import { defaultPriority, type Message } from "@taskferry/core";

/** Priorities 7-9, 4-6 and 0-3 as bands 2, 1 and 0. */
export type Band = 0 | 1 | 2;

export const bands = [2, 1, 0] as const;
/** The band of messages without a priority, which every queue has. */
export const middle = 1;

export function bandOf({ priority = defaultPriority }: Message): Band {
  return priority >= 7 ? 2 : priority >= 4 ? 1 : 0;
}

/** In place of the count of deliveries. */
const uncounted = "again";

/** Names of one namespace: streams, subjects, durable consumers. A queue is one token of a subject, its dots escaped. */
export class Layout {
  readonly stream: string;
  readonly deadStream: string;
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.stream = namespace;
    this.deadStream = `${namespace}_dead`;
  }

  get subjects(): readonly string[] {
    return [`${this.#namespace}.q.>`, `${this.#namespace}.delay.>`];
  }

  get deadSubjects(): readonly string[] {
    return [`${this.#namespace}.dead.>`];
  }

  /** @param former - deliveries that count although this message was published anew, since it was handed back. */
  ready(queue: string, band: Band, former = 0): string {
    return `${this.#namespace}.q.${tokenOf(queue)}.${band}.${former}`;
  }

  /** A subject of {@link ready} for a message that may have been there before: how often it was delivered is not known. */
  again(subject: string): string {
    return subject.startsWith(`${this.#namespace}.q.`)
      ? `${subject.slice(0, subject.lastIndexOf("."))}.${uncounted}`
      : subject;
  }

  readyFilter(queue: string, band: Band | "*"): string {
    return `${this.#namespace}.q.${tokenOf(queue)}.${band}.*`;
  }

  delayed(queue: string, band: Band): string {
    return `${this.#namespace}.delay.${tokenOf(queue)}.${band}`;
  }

  delayedFilter(queue: string): string {
    return `${this.#namespace}.delay.${tokenOf(queue)}.*`;
  }

  dead(queue: string): string {
    return `${this.#namespace}.dead.${tokenOf(queue)}`;
  }

  /** Where those who work on a queue hear of each other. Not stored. */
  note(queue: string): string {
    return `${this.#namespace}.note.${tokenOf(queue)}`;
  }

  durable(queue: string, band: Band): string {
    return `${tokenOf(queue)}=${band}`;
  }

  delayDurable(queue: string): string {
    return `${tokenOf(queue)}=d`;
  }

  /** The queue that a subject of ours belongs to. */
  queueOf(subject: string): string {
    return (subject.slice(this.#namespace.length + 1).split(".")[1] ?? "").replaceAll("=", ".");
  }
}

function tokenOf(queue: string): string {
  return queue.replaceAll(".", "=");
}
