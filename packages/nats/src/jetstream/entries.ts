import { type DeadLetterReason, decodeMessage, isTaskferryError, type Message, type QueueEntry } from "@taskferry/core";
import { natsHeader } from "../frame.ts";
import type { Stored } from "../stored.ts";
import { delayHeader } from "./publisher.ts";
import { readDueAt } from "./schedules.ts";
import { keyHeader, reasonHeader } from "./settler.ts";

/** The key of a delayed or waiting message is its number in the stream. */
export function toEntry(stored: Stored, dueAt?: number): QueueEntry {
  const { sequence, bytes } = stored;
  return { key: String(sequence), bytes, ...readMessage(bytes), ...(dueAt !== undefined && { dueAt }) };
}

export function toDelayedEntry(stored: Stored): QueueEntry {
  const dueAt = readDueAt(stored.header(natsHeader.schedule));
  return toEntry(stored, Number.isNaN(dueAt) ? stored.storedAt + Number(stored.header(delayHeader)) : dueAt);
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
