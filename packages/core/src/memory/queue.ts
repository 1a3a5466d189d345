import type { DeadLetterReason, OutgoingMessage, PublishResult, QueueSection } from "../broker.ts";
import { BrokerError, MessageError } from "../errors.ts";
import { encodeMessage } from "../frame.ts";
import { monotonicNow } from "../lifecycle.ts";
import { type Message, maxHeaderBytes } from "../message.ts";
import { DelayedSection } from "./delayed-section.ts";
import { copyMessage, createEntry, type Entry, type EntryContent, type Hold, type Holder } from "./entry.ts";
import { OrderedList } from "./ordered-list.ts";
import { ReadySection } from "./ready-section.ts";
import { SeenIds } from "./seen-ids.ts";
import { TaskIndex } from "./task-index.ts";

export interface QueueLimits {
  /** Milliseconds for which a publish is recognised after its message left the queue. */
  readonly dedupeWindow: number;
  readonly maxMessageBytes: number;
  /** Messages at once, dead letters not counted. */
  readonly maxMessages: number;
}

/** One queue: its sections, and the ways from one to another. It does nothing by itself; time passes when somebody looks. */
export class MemoryQueue {
  readonly name: string;
  readonly #limits: QueueLimits;
  readonly #ready = new ReadySection();
  readonly #delayed = new DelayedSection();
  readonly #dead = new OrderedList<Entry>();
  readonly #holders = new Set<Holder>();
  readonly #tasks = new TaskIndex();
  readonly #seen: SeenIds;
  #lastPosition = 0;
  /** No lease ends before: a look at all of them is due only then. */
  #nextLeaseEnd = Number.POSITIVE_INFINITY;
  /** Told when there may be something to take. */
  onArrival: () => void = () => undefined;

  constructor(name: string, limits: QueueLimits) {
    this.name = name;
    this.#limits = limits;
    this.#seen = new SeenIds(limits.dedupeWindow);
  }

  publish({ message, delay = 0 }: OutgoingMessage): PublishResult {
    if (this.#knows(message)) return { status: "duplicate" };
    const error = this.#findFault(message);
    if (error !== undefined) return { status: "refused", error };
    this.#admit({ message: copyMessage(message), bytes: undefined }, delay);
    return { status: "accepted" };
  }

  /** Takes a message in the place of one that has just left, whatever the limits say. */
  replace(message: Message, delay: number): void {
    if (!this.#knows(message)) this.#admit({ message: copyMessage(message), bytes: undefined }, delay);
  }

  insert(content: EntryContent): void {
    this.#admit(content, 0);
  }

  /** Hands out up to `max` entries. */
  take(holder: Holder, max: number): Hold[] {
    const leaseUntil = monotonicNow() + holder.lease;
    const taken: Hold[] = [];
    while (taken.length < max) {
      const entry = this.#ready.take();
      if (entry === undefined) break;
      const hold: Hold = { entry, holder, leaseUntil };
      entry.section = "running";
      entry.deliveries += 1;
      entry.hold = hold;
      holder.holds.add(hold);
      taken.push(hold);
    }
    if (taken.length > 0) this.#nextLeaseEnd = Math.min(this.#nextLeaseEnd, leaseUntil);
    return taken;
  }

  /** Forgets an entry that is done. */
  finish(hold: Hold): void {
    this.#letGo(hold);
    this.#forget(hold.entry);
  }

  bury(hold: Hold, reason: DeadLetterReason): void {
    const { entry } = hold;
    this.#letGo(hold);
    this.#remember(entry);
    entry.reason = reason;
    entry.section = "dead";
    entry.position = this.#nextPosition();
    this.#dead.append(entry.position, entry);
  }

  /** @param options - `isSpent`: the delivery counts as one. */
  handBack(holds: readonly Hold[], options: { readonly isSpent: boolean }): void {
    for (const hold of holds) {
      this.#letGo(hold);
      if (!options.isSpent) hold.entry.deliveries -= 1;
    }
    this.#ready.putBack(holds.map(({ entry }) => entry));
    if (holds.length > 0) this.onArrival();
  }

  join(holder: Holder): void {
    this.#holders.add(holder);
  }

  leave(holder: Holder): void {
    this.handBack([...holder.holds], { isSpent: true });
    this.#holders.delete(holder);
  }

  /** Moves what is due to where it belongs. */
  passTime(): void {
    const now = monotonicNow();
    if (this.#delayed.nextDue <= now) {
      for (const entry of this.#delayed.takeDue(now)) {
        entry.position = this.#nextPosition();
        this.#ready.append(entry);
      }
    }
    if (this.#nextLeaseEnd <= now) this.#endLeases(now);
  }

  /** When `passTime` has something to do, at the earliest. */
  get nextDue(): number {
    return Math.min(this.#delayed.nextDue, this.#nextLeaseEnd);
  }

  get readyCount(): number {
    return this.#ready.size;
  }

  count(section: QueueSection): number {
    this.passTime();
    if (section === "running") return this.#running().length;
    return { ready: this.#ready, delayed: this.#delayed, dead: this.#dead }[section].size;
  }

  /** Entries after a position (dead: before it), in the order in which they are listed. */
  page(section: QueueSection, cursor: number | undefined, limit: number): Entry[] {
    this.passTime();
    if (section === "dead") return this.#dead.before(cursor ?? Number.POSITIVE_INFINITY, limit);
    const after = cursor ?? 0;
    if (section === "running")
      return this.#running()
        .filter(({ position }) => position > after)
        .slice(0, limit);
    return (section === "ready" ? this.#ready : this.#delayed).after(after, limit);
  }

  find(section: QueueSection, position: number): Entry | undefined {
    this.passTime();
    if (section === "running") return this.#running().find((entry) => entry.position === position);
    return { ready: this.#ready, delayed: this.#delayed, dead: this.#dead }[section].find(position);
  }

  findTask(section: QueueSection, id: string): Entry | undefined {
    this.passTime();
    return this.#tasks.newest(id, section);
  }

  remove(entry: Entry): void {
    if (entry.section === "ready") this.#ready.remove(entry);
    else if (entry.section === "delayed") this.#delayed.remove(entry);
    else this.#dead.remove(entry.position);
    this.#forget(entry);
  }

  purge(section: Exclude<QueueSection, "running">): number {
    this.passTime();
    const entries = { ready: this.#ready, delayed: this.#delayed, dead: this.#dead }[section].clear();
    for (const entry of entries) this.#forget(entry);
    return entries.length;
  }

  #knows(message: Message): boolean {
    return this.#tasks.holds(message) || this.#seen.has(message, monotonicNow());
  }

  #findFault(message: Message): BrokerError | MessageError | undefined {
    const { maxMessages, maxMessageBytes } = this.#limits;
    if (message.body.length + 2 * maxHeaderBytes > maxMessageBytes && encodeMessage(message).length > maxMessageBytes) {
      const text = `Expected at most ${maxMessageBytes} bytes with all headers, got ${encodeMessage(message).length}. Raise \`maxMessageBytes\` of memory(), or send a reference to the data.`;
      return new MessageError("MESSAGE_TOO_LARGE", text, { id: message.id });
    }
    if (maxMessages === Number.POSITIVE_INFINITY || this.#countLive() < maxMessages) return undefined;
    return new BrokerError(
      "BROKER_FULL",
      `The queue ${this.name} holds ${maxMessages} messages, as many as \`maxMessages\` of memory() allows. Try again later.`,
    );
  }

  #countLive(): number {
    let held = 0;
    for (const { holds } of this.#holders) held += holds.size;
    return this.#ready.size + this.#delayed.size + held;
  }

  #admit(content: EntryContent, delay: number): void {
    const entry = createEntry(content);
    entry.position = this.#nextPosition();
    this.#tasks.add(entry);
    if (delay > 0) this.#delayed.append(entry, monotonicNow() + delay);
    else this.#ready.append(entry);
    this.onArrival();
  }

  #letGo(hold: Hold): void {
    hold.entry.hold = undefined;
    hold.holder.holds.delete(hold);
  }

  #forget(entry: Entry): void {
    if (entry.section !== "dead") this.#remember(entry);
    entry.section = undefined;
    this.#tasks.remove(entry);
  }

  #remember({ content: { message } }: Entry): void {
    if (message !== undefined) this.#seen.add(message, monotonicNow());
  }

  #nextPosition(): number {
    this.#lastPosition += 1;
    return this.#lastPosition;
  }

  #endLeases(now: number): void {
    this.#nextLeaseEnd = Number.POSITIVE_INFINITY;
    for (const holder of this.#holders) {
      const ended: Hold[] = [];
      for (const hold of holder.holds) {
        if (hold.leaseUntil > now) {
          this.#nextLeaseEnd = Math.min(this.#nextLeaseEnd, hold.leaseUntil);
          break;
        }
        ended.push(hold);
      }
      this.handBack(ended, { isSpent: true });
    }
  }

  #running(): Entry[] {
    const entries = [...this.#holders].flatMap(({ holds }) => [...holds].map(({ entry }) => entry));
    return entries.sort((one, other) => one.position - other.position);
  }
}
