import { isTaskferryError } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { ServerClock } from "../clock.ts";
import { natsHeader } from "../frame.ts";
import { findStream, hasLimits, type StreamInfo } from "../streams.ts";
import type { Layout } from "./layout.ts";

export interface SchedulesParts {
  readonly api: Api;
  readonly layout: Layout;
  readonly clock: ServerClock;
  /** Whether they are wanted where the server has them. */
  readonly isWanted: boolean;
  /** Told why a server that has them does not take any. */
  readonly onRefused: (message: string) => void;
}

/** Milliseconds of the epoch that a server counts in nanoseconds. */
const latest = 9_000_000_000_000;
const slotLength = 10_000;
const at = "@at ";

/**
 * Delays that the server keeps itself, from NATS 2.12 on: a message says when and to which subject it is to be published.
 * Streams that have them throw away what is oldest once they are full, so only a stream without limits of its own gets them.
 */
export class Schedules {
  readonly #parts: SchedulesParts;
  #isOn = false;

  constructor(parts: SchedulesParts) {
    this.#parts = parts;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Has the stream take schedules, if the server is new enough. Older ones ignore the setting in silence: it is read back. */
  async enable(version: string): Promise<void> {
    const { api, layout, isWanted } = this.#parts;
    this.#isOn = false;
    if (!isWanted || !hasSchedules(version)) return;
    const found = await findStream(api, layout.stream);
    if (found === undefined || hasLimits(found.config)) return;
    const { config } = isOn(found) ? found : await this.#update(found);
    if (!isOn({ config })) return;
    await this.keepTime();
    this.#isOn = true;
  }

  /** Looks at the server's clock, by which messages are due, unless that was done of late. */
  keepTime(): Promise<void> {
    return this.#parts.clock.read();
  }

  async #update(found: StreamInfo): Promise<Pick<StreamInfo, "config">> {
    const { api, layout, onRefused } = this.#parts;
    const subjects = [...new Set([...found.config.subjects, ...layout.scheduleSubjects])];
    const config = { ...found.config, subjects, discard: "old", allow_msg_schedules: true } as const;
    try {
      return await api.call<StreamInfo>(`STREAM.UPDATE.${layout.stream}`, config);
    } catch (error) {
      // This user may not, or an older server of the cluster leads.
      if (!isTaskferryError(error) || error.retryable) throw error;
      onRefused(`What is delayed is parked, since the server takes no schedules: ${error.message}`);
      return found;
    }
  }

  /** When a message is due that is delayed from now. Undefined for a time that no server keeps. */
  dueAt(delay: number): number | undefined {
    const dueAt = Math.ceil(this.#parts.clock.latest() + delay);
    return dueAt <= latest ? dueAt : undefined;
  }
}

export function scheduleHeaders(dueAt: number, target: string): Readonly<Record<string, string>> {
  return { [natsHeader.schedule]: at + new Date(dueAt).toISOString(), [natsHeader.scheduleTarget]: target };
}

/** When a stored schedule is due, `NaN` for what is none. */
export function readDueAt(schedule: string): number {
  return schedule.startsWith(at) ? Date.parse(schedule.slice(at.length)) : Number.NaN;
}

/** The slot in which a schedule is due, by which it is found when it was let pass. */
export function slotOf(dueAt: number): number {
  return Math.floor(dueAt / slotLength);
}

/** Whether a server is of 2.12 or later. */
export function hasSchedules(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 12);
}

function isOn({ config }: Pick<StreamInfo, "config">): boolean {
  return config["allow_msg_schedules"] === true;
}
