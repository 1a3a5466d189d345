import { ConfigurationError, MessageError } from "../errors.ts";
import type { Frame } from "../plan.ts";
import type { StateStore } from "../state-store.ts";

/** What a message of a workflow carries of it. */
export interface PlanHeader {
  readonly frames: readonly Frame[];
  /** Milliseconds for which the outcomes and facts of the workflow are kept. */
  readonly ttl: number;
}

/** Characters of a plan that travel with the message; a longer one is kept in the state store. */
const longestHeader = 5_000;
const chunkSize = 60_000;

interface Stored {
  readonly stored: string;
  readonly chunks: number;
}

/** The text of the header. @throws ConfigurationError `STATE_REQUIRED` for a long plan where there is no state store. */
export function writePlan(header: PlanHeader, id: string, state: StateStore | undefined): string | Promise<string> {
  const text = JSON.stringify(header);
  return text.length <= longestHeader ? text : keepPlan(text, { id, ttl: header.ttl, state });
}

interface Keeping {
  readonly id: string;
  readonly ttl: number;
  readonly state: StateStore | undefined;
}

async function keepPlan(text: string, { id, ttl, state }: Keeping): Promise<string> {
  if (state === undefined) {
    throw new ConfigurationError(
      "STATE_REQUIRED",
      `What follows ${id} takes ${text.length} characters, too many to travel with its message, and needs a state store.`,
    );
  }
  const bytes = Buffer.from(text);
  const chunks = Math.ceil(bytes.length / chunkSize);
  await state.put(
    Array.from({ length: chunks }, (_, index) => ({
      key: chunkKey(id, index),
      value: bytes.subarray(index * chunkSize, (index + 1) * chunkSize),
      ttl,
    })),
  );
  return JSON.stringify({ stored: id, chunks } satisfies Stored);
}

/** @throws MessageError `MESSAGE_MALFORMED` for a text that is no plan; ResultMissing is told as `PLAN_EXPIRED`. */
export function readPlan(text: string, state: StateStore | undefined): PlanHeader | Promise<PlanHeader> {
  const read = parse(text);
  return "stored" in read ? loadPlan(read, state) : read;
}

async function loadPlan(read: Stored, state: StateStore | undefined): Promise<PlanHeader> {
  const keys = Array.from({ length: read.chunks }, (_, index) => chunkKey(read.stored, index));
  const entries = (await state?.get(keys)) ?? [];
  const values = entries.flatMap((entry) => (entry === undefined ? [] : [entry.value]));
  if (values.length < read.chunks || values.length === 0) {
    throw new MessageError(
      "PLAN_EXPIRED",
      `What follows ${read.stored} is kept no longer. Give the workflow a longer \`ttl\`.`,
    );
  }
  return parse(Buffer.concat(values).toString()) as PlanHeader;
}

function parse(text: string): PlanHeader | Stored {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && ("stored" in value || "frames" in value))
      return value as PlanHeader | Stored;
  } catch (cause) {
    throw new MessageError("MESSAGE_MALFORMED", "Expected a plan, got a header that is not JSON.", { cause });
  }
  throw new MessageError("MESSAGE_MALFORMED", "Expected a plan, got a header of another shape.");
}

function chunkKey(id: string, index: number): readonly string[] {
  return ["plan", id, String(index)];
}
