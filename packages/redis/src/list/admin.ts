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
import type { QueueKeys } from "./keys.ts";
import { type Member, Members } from "./members.ts";
import type { Queues } from "./queues.ts";
import { depth } from "./scripts/depth.ts";
import { page } from "./scripts/page.ts";
import { remove } from "./scripts/remove.ts";

export interface ListAdminParts {
  readonly commands: Connection;
  readonly queues: Queues;
  readonly dedupeWindow: number;
}

type PageReply = readonly [
  keys: readonly Buffer[],
  places: readonly Buffer[],
  frames: readonly (Buffer | null)[],
  reasons: readonly (Buffer | null)[],
];

const space = Buffer.from(" ");

/** Looks into the queues and removes. */
export class ListAdmin implements BrokerAdmin {
  readonly #commands: Connection;
  readonly #queues: Queues;
  readonly #members: Members;
  readonly #dedupeWindow: number;

  constructor({ commands, queues, dedupeWindow }: ListAdminParts) {
    this.#commands = commands;
    this.#queues = queues;
    this.#dedupeWindow = dedupeWindow;
    this.#members = new Members(commands);
  }

  queues(): Promise<readonly string[]> {
    return this.#queues.names();
  }

  async depth(queue: string): Promise<Readonly<Record<QueueSection, number>>> {
    const { all } = this.#queues.keysOf(queue);
    const [ready = 0, delayed = 0, running = 0, dead = 0] = await this.#commands.run<readonly number[]>(depth, {
      keys: all,
      args: [],
    });
    return { ready, delayed, running, dead };
  }

  async list(
    queue: string,
    { section, limit, cursor }: { readonly section: QueueSection; readonly limit: number; readonly cursor?: string },
  ): Promise<QueuePage> {
    const { all } = this.#queues.keysOf(queue);
    const [keys, places, frames, reasons] = await this.#commands.run<PageReply>(page, {
      keys: all,
      args: [section, limit + 1, ...(cursor === undefined ? [] : readCursor(section, cursor))],
    });
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
    const keys = this.#queues.keysOf(queue);
    const member = await this.#members.find(keys, section, key);
    return member === undefined ? undefined : this.#readEntry(keys, section, member);
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

  #remove(queue: string, args: readonly (string | Buffer)[]): Promise<number> {
    return this.#commands.run(remove, { keys: this.#queues.keysOf(queue).all, args: [this.#dedupeWindow, ...args] });
  }

  async #readEntry(keys: QueueKeys, section: QueueSection, member: Member): Promise<QueueEntry | undefined> {
    const isDead = section === "dead";
    const field = toBytes(member.key);
    const read = (hash: string): Promise<Buffer | null> =>
      this.#commands.call((client) => client.hgetBuffer(hash, field));
    const [frame, reason] = await Promise.all([
      read(isDead ? keys.deadMessage : keys.message),
      isDead ? read(keys.deadReason) : null,
    ]);
    return toEntries(section, member, { frame, reason })[0];
  }
}

/** What is stored of a member; the driver says null for what is not there. */
interface Stored {
  readonly frame: Buffer | null | undefined;
  readonly reason: Buffer | null | undefined;
}

/** One entry, or none for what was gone when it was read. */
function toEntries(section: QueueSection, { key, at }: Member, { frame, reason }: Stored): readonly QueueEntry[] {
  // What some other program pushed into a list has no bytes but its own.
  const bytes = frame ?? (section === "ready" ? toBytes(key) : undefined);
  if (bytes === undefined) return [];
  const entry = { key, bytes, ...readMessage(bytes) };
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

/** @throws OptionError `OPTION_INVALID`. */
function readCursor(section: QueueSection, cursor: string): readonly (string | Buffer)[] {
  const bytes = Buffer.from(cursor, "base64url");
  const places = section === "ready" ? /^([012]) (\d+) / : /^(\d[\d.e+]*) /;
  const found = places.exec(bytes.toString("latin1"));
  if (found === null) {
    throw new OptionError("OPTION_INVALID", `Expected a cursor that list gave for ${section}, got ${inspect(cursor)}.`);
  }
  return [...found.slice(1), bytes.subarray(found[0].length)];
}

function toBytes(key: string): Buffer {
  return Buffer.from(key, "latin1");
}

function fromBytes(key: Buffer): string {
  return key.toString("latin1");
}
