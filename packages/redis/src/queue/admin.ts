import { inspect } from "node:util";
import {
  type BrokerAdmin,
  type DeadLetterReason,
  decodeMessage,
  isTaskferryError,
  type Message,
  OptionError,
  type QueueEntry,
  type QueuePage,
  type QueueSection,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import type { Argument } from "../script.ts";
import { newestDead, newestKeys } from "./newest.ts";
import type { Queues } from "./queues.ts";
import type { QueueScripts } from "./scripts.ts";
import type { QueueStorage } from "./storage.ts";

export interface QueueAdminParts {
  readonly commands: Connection;
  readonly queues: Queues;
  readonly scripts: QueueScripts;
  readonly storage: QueueStorage;
  readonly dedupeWindow: number;
}

type PageReply = readonly [
  keys: readonly Buffer[],
  places: readonly Buffer[],
  frames: readonly (Buffer | null)[],
  reasons: readonly (Buffer | null)[],
];

type ReadReply = readonly [key?: Buffer, score?: Buffer, frame?: Buffer | null, reason?: Buffer | null];

const space = Buffer.from(" ");

/** Looks into the queues and removes. */
export class QueueAdmin implements BrokerAdmin {
  readonly #parts: QueueAdminParts;

  constructor(parts: QueueAdminParts) {
    this.#parts = parts;
  }

  queues(): Promise<readonly string[]> {
    return this.#parts.queues.names();
  }

  async depth(queue: string): Promise<Readonly<Record<QueueSection, number>>> {
    const counts = await this.#run<readonly number[]>("depth", queue, []);
    const [ready = 0, delayed = 0, running = 0, dead = 0] = counts;
    return { ready, delayed, running, dead };
  }

  async list(
    queue: string,
    { section, limit, cursor }: { readonly section: QueueSection; readonly limit: number; readonly cursor?: string },
  ): Promise<QueuePage> {
    const start = cursor === undefined ? [] : this.#readCursor(section, cursor);
    const args = [section, limit + 1, ...start];
    const [keys, places, frames, reasons] = await this.#run<PageReply>("page", queue, args);
    const entries = keys.slice(0, limit).flatMap((name, index) => {
      const key = fromBytes(name);
      const at = section === "ready" ? undefined : Number(places[index]);
      return toEntries(section, { key, at }, { frame: frames[index], reason: reasons[index] });
    });
    const last = keys[limit - 1];
    if (keys.length <= limit || last === undefined) return { entries };
    return { entries, cursor: Buffer.concat([places[limit - 1] as Buffer, space, last]).toString("base64url") };
  }

  async read(queue: string, section: QueueSection, key: string): Promise<QueueEntry | undefined> {
    const { commands, queues } = this.#parts;
    const keys = queues.keysOf(queue);
    const meant = section === "dead" ? newestDead(commands, keys, key) : newestKeys(commands, keys, key);
    const args = [section, ...(await meant).map(toBytes)];
    const [found, score, frame, reason] = await this.#run<ReadReply>("read", queue, args);
    if (found === undefined) return undefined;
    const at = section === "ready" ? undefined : Number(score);
    return toEntries(section, { key: fromBytes(found), at }, { frame, reason })[0];
  }

  async remove(queue: string, section: QueueSection, keys: readonly string[]): Promise<number> {
    if (keys.length === 0) return 0;
    return this.#remove(queue, [section, ...keys.map(toBytes)]);
  }

  async purge(queue: string, section: QueueSection): Promise<number> {
    for (let total = 0; ; ) {
      const removed = await this.#remove(queue, [section]);
      total += removed;
      if (removed === 0 || section === "dead") return total;
    }
  }

  #remove(queue: string, args: readonly Argument[]): Promise<number> {
    return this.#run("remove", queue, [this.#parts.dedupeWindow, ...args]);
  }

  #run<T>(step: keyof QueueScripts, queue: string, args: readonly Argument[]): Promise<T> {
    const { commands, queues, scripts } = this.#parts;
    return commands.run(scripts[step], { keys: queues.keysOf(queue).of(scripts[step]), args });
  }

  /** @throws OptionError `OPTION_INVALID`. */
  #readCursor(section: QueueSection, cursor: string): readonly Argument[] {
    const bytes = Buffer.from(cursor, "base64url");
    const text = bytes.toString("latin1");
    const [, ...places] = (section === "ready" ? /^([012]) (\S+) / : /^(\d[\d.e+]*) /).exec(text) ?? [];
    const isKnown = section === "ready" ? this.#parts.storage.position.test(places[1] ?? "") : places.length > 0;
    if (isKnown) return [...places, bytes.subarray(`${places.join(" ")} `.length)];
    throw new OptionError("OPTION_INVALID", `Expected a cursor that list gave for ${section}, got ${inspect(cursor)}.`);
  }
}

/** An entry's name; `at` is its score where it has one. Foreign bytes may be keys, so they are latin1, byte by byte. */
interface Member {
  readonly key: string;
  readonly at: number | undefined;
}

/** What is stored of a member; the driver says null for what is not there. */
interface Stored {
  readonly frame: Buffer | null | undefined;
  readonly reason: Buffer | null | undefined;
}

/** One entry, or none for what was gone when it was read. */
function toEntries(section: QueueSection, { key, at }: Member, { frame, reason }: Stored): readonly QueueEntry[] {
  if (frame === undefined || frame === null) return [];
  const entry = { key, bytes: frame, ...readMessage(frame) };
  if (section !== "dead") return [at === undefined ? entry : { ...entry, dueAt: at }];
  return [reason ? { ...entry, reason: JSON.parse(reason.toString()) as DeadLetterReason } : entry];
}

function readMessage(bytes: Buffer): { readonly message?: Message } {
  try {
    return { message: decodeMessage(bytes) };
  } catch (error) {
    if (isTaskferryError(error)) return {};
    throw error;
  }
}

function toBytes(key: string): Buffer {
  return Buffer.from(key, "latin1");
}

function fromBytes(key: Buffer): string {
  return key.toString("latin1");
}
