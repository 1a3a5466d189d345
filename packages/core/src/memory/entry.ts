import type { DeadLetterReason, Delivery, QueueEntry, QueueSection } from "../broker.ts";
import { MessageError, type TaskferryError } from "../errors.ts";
import { decodeMessage, encodeMessage } from "../frame.ts";
import { defaultPriority, type Message } from "../message.ts";
import type { TurnoverSet } from "../turnover.ts";
import type { HeapItem } from "./heap.ts";

/** What lies in a queue: a message, or bytes that are none. */
export interface Entry extends HeapItem {
  readonly content: EntryContent;
  /** 0 for priorities 0 to 3, 1 for 4 to 6, 2 for 7 to 9. */
  readonly band: number;
  /** `undefined` once it has left its queue. */
  section: QueueSection | undefined;
  /** Where it stands among all entries; a new one when it comes to another section, unless it comes back. */
  position: number;
  deliveries: number;
  /** Who has it now. A delivery that holds another object has lost it. */
  hold: Hold | undefined;
  reason: DeadLetterReason | undefined;
  /** The next older entry of the same task. */
  older: Entry | undefined;
}

export type EntryContent =
  | { readonly message: Message; readonly bytes: Uint8Array | undefined }
  | {
      readonly message?: never;
      readonly bytes: Uint8Array;
      readonly error: TaskferryError;
      readonly id: string | undefined;
    };

/** One entry in the hands of one consumer; the token of its delivery. */
export interface Hold {
  readonly entry: Entry;
  readonly holder: Holder;
  leaseUntil: number;
}

/** A consumer, as its queue sees it. Its holds end in the order in which they lie in the set. */
export interface Holder {
  readonly holds: TurnoverSet<Hold>;
  readonly lease: number;
}

/** An entry that shares no memory with the caller's message. */
export function createEntry(content: EntryContent): Entry {
  return {
    content,
    band: bandOf(content.message?.priority ?? defaultPriority),
    section: undefined,
    position: 0,
    deliveries: 0,
    hold: undefined,
    reason: undefined,
    older: undefined,
    due: 0,
    heapIndex: -1,
  };
}

function bandOf(priority: number): number {
  return priority >= 7 ? 2 : priority >= 4 ? 1 : 0;
}

/** Bytes from elsewhere, which may be no message. */
export function readContent(bytes: Uint8Array): EntryContent {
  const own = Buffer.from(bytes);
  try {
    return { message: decodeMessage(own), bytes: own };
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    return { bytes: own, error, id: error.id };
  }
}

export function copyMessage(message: Message): Message {
  const body = Buffer.from(message.body);
  const { headers, policy } = message;
  if (headers === undefined && policy === undefined) return { ...message, body };
  return {
    ...message,
    ...(headers !== undefined && { headers: { ...headers } }),
    ...(policy !== undefined && { policy: structuredClone(policy) }),
    body,
  };
}

/** The task's id, where there is one to read. */
export function entryId({ content }: Entry): string | undefined {
  return content.message === undefined ? content.id : content.message.id;
}

export function toDelivery({ content, deliveries }: Entry, hold: Hold): Delivery {
  const base = { deliveryCount: deliveries, leaseUntil: hold.leaseUntil, token: hold };
  if (content.message !== undefined) return { message: copyMessage(content.message), ...base };
  return { malformed: { bytes: Buffer.from(content.bytes), error: content.error, id: content.id }, ...base };
}

function bytesOf(content: EntryContent): Uint8Array {
  if (content.message === undefined) return Buffer.from(content.bytes);
  return content.bytes === undefined ? encodeMessage(content.message) : Buffer.from(content.bytes);
}

/** Keys begin with a character that no task's id has. */
const keyPrefix = "#";

export function parseKey(key: string): number | undefined {
  return /^#\d+$/.test(key) ? Number(key.slice(keyPrefix.length)) : undefined;
}

/** @param clockOffset - what leads from the monotonic clock to the wall clock. */
export function toQueueEntry(entry: Entry, clockOffset: number): QueueEntry {
  const { content, section, hold, reason } = entry;
  const dueAt = section === "delayed" ? entry.due : section === "running" ? hold?.leaseUntil : undefined;
  return {
    key: `${keyPrefix}${entry.position}`,
    bytes: bytesOf(content),
    ...(content.message !== undefined && { message: copyMessage(content.message) }),
    ...(dueAt !== undefined && { dueAt: Math.round(dueAt + clockOffset) }),
    ...(reason !== undefined && { reason }),
  };
}
