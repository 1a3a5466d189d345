import { parseDuration } from "../../duration.ts";
import { isTaskferryError, MessageError, type RetryLater } from "../../errors.ts";
import type { Message } from "../../message.ts";
import type { SerializerSet } from "../../serializer-set.ts";
import type { Ended } from "../job.ts";

/** What a thrown error means. */
export function classify(error: unknown): Ended {
  if (!isTaskferryError(error)) return { kind: "threw", error, isFinal: false };
  switch (error.name) {
    case "CancelTask":
      return { kind: "cancelled", code: "TASK_CANCELLED", reason: error.message };
    case "RetryLater":
      return classifyLater(error as RetryLater);
    case "FailTask":
      return { kind: "threw", error, isFinal: true };
    default:
      return { kind: "threw", error, isFinal: false };
  }
}

function classifyLater({ delay }: RetryLater): Ended {
  try {
    return { kind: "later", delay: parseDuration(delay, "RetryLater") };
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}

export interface OutputParts {
  readonly serializers: SerializerSet;
  /** Bytes of a serialized result at most. */
  readonly maxResultBytes: number;
  /** Whether anybody can ask for results. */
  readonly keepsResults: boolean;
}

const unkept = { contentType: "", body: new Uint8Array() };

/** What cannot be stored will be no better the next time, so it is final. What nobody will read is not serialized. */
export function serializeOutput({ task, plan }: Message, value: unknown, parts: OutputParts): Ended {
  const { serializers, maxResultBytes, keepsResults } = parts;
  if (!keepsResults && plan === undefined) return { kind: "returned", result: unkept };
  try {
    const body = serializers.serialize(value);
    if (body.length > maxResultBytes) throw tooLarge(task, body.length, maxResultBytes);
    return { kind: "returned", result: { contentType: serializers.contentType, body } };
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}

function tooLarge(task: string, bytes: number, limit: number): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `The handler of ${task} returned ${bytes} bytes when serialized; the result backend takes at most ${limit}. Return a reference to the data.`,
  );
}
