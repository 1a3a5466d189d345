import { decodeOutcome } from "../../outcome.ts";
import type { ResultBackend } from "../../result-backend.ts";
import { validate } from "../../schema.ts";
import type { SerializerSet } from "../../serializer-set.ts";
import { capture, type NamedSurroundings } from "../../surroundings.ts";
import type { EnqueueChild } from "../context.ts";
import { reviveOurs } from "../isolation/ended-record.ts";
import type { AnswerRequest, Call } from "../isolation/protocol.ts";
import type { Job } from "../job.ts";
import type { Port } from "./ports.ts";

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What handlers ask of the worker, which has the connections. */
export class Calls {
  readonly #port: Port;
  readonly #runOf: (job: Job) => number | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(port: Port, runOf: (job: Job) => number | undefined) {
    this.#port = port;
    this.#runOf = runOf;
  }

  /** The input is checked and serialized here, where its schema is, and the key of a unique task found. */
  enqueueChild(serializers: SerializerSet, surroundings: readonly NamedSurroundings[]): EnqueueChild {
    return async (parent, task, { input, options }) => {
      if (parent.aborted !== undefined) throw parent.aborted;
      const captured = capture(surroundings);
      if (task.input !== undefined)
        await validate(task.input, input, { code: "INPUT_INVALID", name: `The input of ${task.name}` });
      const handle = await this.#ask({
        kind: "enqueue",
        run: this.#runOf(parent) ?? 0,
        task: { name: task.name, options: { ...task.options, limit: undefined } },
        uniqueKey: task.options.unique?.key?.(input),
        contentType: serializers.contentType,
        input: Buffer.from(serializers.serialize(input)).toString("base64"),
        options: options?.at instanceof Date ? { ...options, at: options.at.getTime() } : options,
        captured,
      });
      return handle as Awaited<ReturnType<EnqueueChild>>;
    };
  }

  /** A result backend that can be read. */
  get results(): Pick<ResultBackend, "get"> {
    return {
      get: async (ids) => {
        const outcomes = (await this.#ask({ kind: "outcomes", ids })) as readonly (string | null)[];
        return outcomes.map((text) => (text === null ? undefined : decodeOutcome(Buffer.from(text, "base64"))));
      },
    };
  }

  answer({ call, ...answer }: AnswerRequest): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (answer.error === undefined) waiting?.resolve(answer.value);
    else waiting?.reject(reviveOurs(answer.error, answer.isOurs === true));
  }

  #ask(call: Call): Promise<unknown> {
    this.#last += 1;
    const number = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#port.send({ type: "call", call: number, what: call });
    });
  }
}
