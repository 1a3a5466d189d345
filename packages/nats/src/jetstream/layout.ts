import { defaultPriority, type Message } from "@taskferry/core";

/** Priorities 7-9, 4-6 and 0-3 as bands 2, 1 and 0. */
export type Band = 0 | 1 | 2;

export const bands = [2, 1, 0] as const;
/** The band of messages without a priority, which every queue has. */
export const middle = 1;

export function bandOf({ priority = defaultPriority }: Message): Band {
  return priority >= 7 ? 2 : priority >= 4 ? 1 : 0;
}

export interface ScheduleName {
  readonly band: Band;
  /** Tens of seconds of the epoch, in which it is due. */
  readonly slot: number;
  /** A token that no other message of the queue has. */
  readonly key: string;
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

  /** Of what the server itself publishes into queues once it is due. */
  get scheduleSubjects(): readonly string[] {
    return [`${this.#namespace}.at.>`];
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

  /** A subject has one schedule, so each has its own. */
  scheduled(queue: string, { band, slot, key }: ScheduleName): string {
    return `${this.#namespace}.at.${tokenOf(queue)}.${band}.${slot}.${key}`;
  }

  /** @param slot - in which they are due; all without. */
  scheduledFilter(queue: string, slot: number | "*" = "*"): string {
    return `${this.#namespace}.at.${tokenOf(queue)}.*.${slot}.*`;
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

  /** What a subject of {@link scheduled} says. */
  scheduleOf(subject: string): ScheduleName {
    const [band, slot, key = ""] = subject.split(".").slice(-3);
    return { band: Number(band) as Band, slot: Number(slot), key };
  }

  /** The queue that a subject of ours belongs to. */
  queueOf(subject: string): string {
    return (subject.slice(this.#namespace.length + 1).split(".")[1] ?? "").replaceAll("=", ".");
  }
}

function tokenOf(queue: string): string {
  return queue.replaceAll(".", "=");
}
