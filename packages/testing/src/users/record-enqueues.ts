import { jsonSerializer, type Message, type Middleware, type MiddlewareHost } from "@taskferry/core";

/** One enqueue that the broker has accepted. */
export interface EnqueuedTask {
  readonly task: string;
  readonly input: unknown;
  readonly id: string;
  readonly queue: string;
  /** Milliseconds; 0 for none. */
  readonly delay: number;
  readonly message: Message;
}

/** A middleware for a client under test: it writes down what is enqueued. */
export interface EnqueueRecorder extends Middleware {
  readonly enqueued: readonly EnqueuedTask[];
  clear(): void;
}

export function recordEnqueues(): EnqueueRecorder {
  const enqueued: EnqueuedTask[] = [];
  const json = jsonSerializer();
  let deserialize: MiddlewareHost["serializers"]["deserialize"] = (_, bytes) => json.deserialize(bytes);
  return {
    name: "recordEnqueues",
    enqueued,
    clear: () => void enqueued.splice(0),
    start: async (_, host) => {
      deserialize = host.serializers.deserialize;
    },
    enqueue: async (outgoing, next) => {
      const result = await next(outgoing);
      if (result.status !== "accepted") return result;
      const { message, delay = 0 } = outgoing;
      const { task, id, queue, contentType, body } = message;
      enqueued.push({ task, input: deserialize(contentType, body), id, queue, delay, message });
      return result;
    },
  };
}
