import { isTaskferryError, monotonicNow } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { ServerClock } from "../clock.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { countSubjects } from "../streams.ts";
import type { Layout } from "./layout.ts";
import type { Publisher } from "./publisher.ts";
import { type Schedules, slotOf } from "./schedules.ts";
import { StoredMessages } from "./stored-messages.ts";

export interface MissedSchedulesParts {
  readonly queue: string;
  readonly api: Api;
  readonly layout: Layout;
  readonly publisher: Publisher;
  readonly clock: ServerClock;
  readonly schedules: Schedules;
}

/** Slots that are looked at one by one; where there are more, all schedules are. */
const mostSlots = 30;
/** Milliseconds after which a server that has not published what is due is taken to do so no more. */
const grace = 30_000;
const moveLimit = 3_000;
/** Milliseconds until a look that failed is tried again. */
const retryPause = 5_000;

/**
 * Schedules that the server let pass since it had no room: it tries none again before it is started anew. Workers look
 * for them once their time is over, and publish them in its place.
 */
export class MissedSchedules {
  readonly #parts: MissedSchedulesParts;
  readonly #live: StoredMessages;
  /** The last slot of which none is left. */
  #done: number | undefined;
  #restsUntil = 0;
  #looking: Promise<void> | undefined;

  constructor(parts: MissedSchedulesParts) {
    this.#parts = parts;
    this.#live = new StoredMessages(parts.api, parts.layout.stream);
  }

  /** Looks if a slot has passed. */
  look(): void {
    const { schedules, clock } = this.#parts;
    const last = slotOf(clock.now() - grace) - 1;
    if (!schedules.isOn || this.#looking !== undefined || this.#done === last || monotonicNow() < this.#restsUntil)
      return;
    this.#looking = this.#look(last).finally(() => {
      this.#looking = undefined;
    });
  }

  async stop(): Promise<void> {
    this.#restsUntil = Number.POSITIVE_INFINITY;
    await this.#looking;
  }

  async #look(last: number): Promise<void> {
    try {
      if (await this.#moveAll(await this.#find(last))) this.#done = last;
    } catch (error) {
      // Out of reach: looked at again.
      if (!isTaskferryError(error)) throw error;
    }
    if (this.#done !== last) this.#restsUntil = Math.max(this.#restsUntil, monotonicNow() + retryPause);
  }

  async #moveAll(subjects: readonly string[]): Promise<boolean> {
    for (const subject of subjects) if (!(await this.#move(subject))) return false;
    return true;
  }

  async #find(last: number): Promise<readonly string[]> {
    const { api, layout, queue } = this.#parts;
    const count = this.#done === undefined ? Number.POSITIVE_INFINITY : last - this.#done;
    const slots = count > mostSlots ? (["*"] as const) : Array.from({ length: count }, (_, index) => last - index);
    const found: string[] = [];
    for (const slot of slots) {
      const subjects = await countSubjects(api, layout.stream, layout.scheduledFilter(queue, slot));
      for (const subject of subjects.keys()) if (layout.scheduleOf(subject).slot <= last) found.push(subject);
    }
    return found;
  }

  /** Published first, then removed: a crash in between publishes again, and is recognised. Answers whether it is in its place. */
  async #move(subject: string): Promise<boolean> {
    const { layout, queue, publisher } = this.#parts;
    const stored = await this.#live.on(subject);
    if (stored === undefined) return true;
    const { band, key } = layout.scheduleOf(subject);
    const headers = headersOf({ [natsHeader.messageId]: `due:${stored.header(natsHeader.messageId) || key}` });
    const request = { subject: layout.ready(queue, band), payload: stored.bytes, headers };
    const [result] = await publisher.send([request], monotonicNow() + moveLimit);
    if (result?.status !== "accepted" && result?.status !== "duplicate") return false;
    await this.#live.remove([stored.sequence]);
    return true;
  }
}
