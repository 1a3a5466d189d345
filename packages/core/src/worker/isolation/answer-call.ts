import { recordError } from "../../error-record.ts";
import { isTaskferryError } from "../../errors.ts";
import { encodeOutcome } from "../../outcome.ts";
import type { ResultBackend } from "../../result-backend.ts";
import type { SerializerSet } from "../../serializer-set.ts";
import { type NamedSurroundings, restore } from "../../surroundings.ts";
import type { ResolvedTaskOptions } from "../../task-options.ts";
import type { EnqueueChild } from "../context.ts";
import type { Job } from "../job.ts";
import type { AnswerRequest, Call } from "./protocol.ts";

/** What the worker does for handlers that run elsewhere. */
export interface CallParts {
  readonly serializers: SerializerSet;
  readonly enqueueChild: EnqueueChild;
  readonly results: ResultBackend | undefined;
  readonly surroundings: readonly NamedSurroundings[];
}

/** Never rejects: a failure is an answer. `job`: what asks; `undefined` once it has ended. */
export async function answerCall(
  what: Call,
  job: Job | undefined,
  parts: CallParts,
): Promise<Omit<AnswerRequest, "type" | "call">> {
  try {
    return { value: await carryOut(what, job, parts) };
  } catch (error) {
    return { error: recordError(error), isOurs: isTaskferryError(error) };
  }
}

async function carryOut(
  what: Call,
  job: Job | undefined,
  { serializers, enqueueChild, results, surroundings }: CallParts,
): Promise<unknown> {
  if (what.kind === "outcomes") {
    const outcomes = (await results?.get(what.ids)) ?? [];
    return outcomes.map((outcome) =>
      outcome === undefined ? null : Buffer.from(encodeOutcome(outcome)).toString("base64"),
    );
  }
  if (job === undefined) throw new Error("The handler had ended when it enqueued: await what context.enqueue returns.");
  const task = { name: what.task.name, options: optionsOf(what), input: undefined, output: undefined };
  const input = serializers.deserialize(what.contentType, Buffer.from(what.input, "base64"));
  const { id, task: name } = await restore(surroundings, { ...job.captured, ...what.captured }, () =>
    enqueueChild(job, task, { input, options: what.options }),
  );
  return { id, task: name };
}

/** No function crosses over: the key that one has found is put in its place. */
function optionsOf({ task: { options }, uniqueKey }: Call & { readonly kind: "enqueue" }): ResolvedTaskOptions {
  const { unique } = options;
  if (unique === undefined || uniqueKey === undefined) return options;
  return { ...options, unique: { ...unique, key: () => uniqueKey } };
}
