import { type DeadLetterReason, decodeMessage, isTaskferryError, type Message, type QueueEntry } from "@taskferry/core";
import { delayHeader } from "./publisher.ts";
import { keyHeader, reasonHeader } from "./settler.ts";

/** A message as JetStream stores it. */
export interface Stored {
  readonly sequence: number;
  readonly subject: string;
  /** Epoch milliseconds by the server's clock. */
  readonly storedAt: number;
  readonly header: (name: string) => string;
  readonly bytes: Uint8Array;
}

/** An answer of STREAM.MSG.GET. */
export interface StoredReply {
  readonly message: {
    readonly seq: number;
    readonly subject: string;
    readonly time: string;
    readonly hdrs?: string;
    readonly data?: string;
  };
}

export function fromReply({ message: { seq, subject, time, hdrs = "", data = "" } }: StoredReply): Stored {
  const text = Buffer.from(hdrs, "base64").toString();
  const header = (name: string): string => new RegExp(`^${name}: ?(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  return { sequence: seq, subject, storedAt: Date.parse(time), header, bytes: Buffer.from(data, "base64") };
}

/** The key of a delayed or waiting message is its number in the stream. */
export function toEntry(stored: Stored, dueAt?: number): QueueEntry {
  const { sequence, bytes } = stored;
  return { key: String(sequence), bytes, ...readMessage(bytes), ...(dueAt !== undefined && { dueAt }) };
}

export function toDelayedEntry(stored: Stored): QueueEntry {
  return toEntry(stored, stored.storedAt + Number(stored.header(delayHeader)));
}

export function toDeadEntry(stored: Stored): QueueEntry {
  return { ...toEntry(stored), ...readReason(stored.header(reasonHeader)) };
}

/** The dedupe id of a dead letter's message. */
export function deadKey(stored: Stored): string {
  return stored.header(keyHeader);
}

function readMessage(bytes: Uint8Array): { readonly message?: Message } {
  try {
    return { message: decodeMessage(bytes) };
  } catch (error) {
    if (isTaskferryError(error)) return {};
    throw error;
  }
}

function readReason(json: string): { readonly reason?: DeadLetterReason } {
  try {
    return { reason: JSON.parse(json) as DeadLetterReason };
  } catch {
    // Put there by another program.
    return {};
  }
}
