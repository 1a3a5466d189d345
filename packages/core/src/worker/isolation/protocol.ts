import type { ChildOptions } from "../../callable-task.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Message } from "../../message.ts";
import type { ErrorRecord } from "../../outcome.ts";
import type { Captured } from "../../surroundings.ts";
import type { Isolation, ResolvedTaskOptions } from "../../task-options.ts";

/**
 * What goes between a worker and the threads and processes that run its handlers: plain data, in batches, in order. A run
 * is known by a number of its own, which is never used again within one thread or process.
 */
export type Batch<T> = readonly T[];

/** The first message that an isolate gets: all it needs to know, besides tasks. */
export interface IsolateStart {
  readonly type: "start";
  /** The worker's name. */
  readonly worker: string;
  /** It runs the tasks with this isolation, and no others of the modules. */
  readonly isolation: Isolation;
  /** Modules of handlers, as the configuration names them. */
  readonly modules: readonly string[];
  readonly root: string;
  /** The URL of a module that exports `loadModule`. Absent: `import()`. */
  readonly loader: string | undefined;
  /** The URL of the module with the configuration, where it names serializers or overrides. */
  readonly config: string | undefined;
  /** The modules of what surrounds handlers, by the middleware it is of. */
  readonly surroundings: readonly { readonly name: string; readonly module: string }[];
  readonly maxBodyBytes: number;
  /** `undefined`: no limit. */
  readonly maxResultBytes: number | undefined;
  /** Whether outcomes are kept, so that the results of groups can be read. */
  readonly hasResults: boolean;
  /** Whether it runs several tasks at once: then an error that nobody caught is told, and the rest goes on. */
  readonly isShared: boolean;
  /** Milliseconds of a blocked event loop that are worth a warning. */
  readonly blockedAfter: number;
}

export type Request =
  | IsolateStart
  | RunRequest
  /** The work is wanted no longer: the handler's signal aborts. */
  | { readonly type: "abort"; readonly run: number; readonly code: ErrorCode; readonly message: string }
  | AnswerRequest
  /** What waits for a slot is wanted back: it ends as `stopping`. `queue`: only what is of that one. */
  | { readonly type: "recall"; readonly queue: string | undefined }
  /** To be answered with `pong` once the event loop turns. */
  | { readonly type: "ping" }
  /** Nothing more will come: clean up and leave. */
  | { readonly type: "leave" };

export interface RunRequest {
  readonly type: "run";
  readonly run: number;
  readonly message: Message;
  readonly deliveryCount: number | undefined;
  readonly captured: Captured | undefined;
  /** Handlers of its queue that run at once there; 0: it begins at once. */
  readonly slots: number;
}

/** The answer to a call: a value, or an error. */
export interface AnswerRequest {
  readonly type: "answer";
  readonly call: number;
  readonly value?: unknown;
  readonly error?: ErrorRecord;
  readonly isOurs?: boolean;
}

/** What a handler asks of the worker. Bytes as base64. */
export type Call =
  | {
      readonly kind: "enqueue";
      /** The run that asks. */
      readonly run: number;
      readonly task: { readonly name: string; readonly options: ResolvedTaskOptions };
      /** What the task's `unique.key` makes of the input; `undefined` where it has none. */
      readonly uniqueKey: string | undefined;
      readonly contentType: string;
      readonly input: string;
      readonly options: ChildOptions | undefined;
      readonly captured: Captured | undefined;
    }
  | { readonly kind: "outcomes"; readonly ids: readonly string[] };

export type Report =
  | { readonly type: "ready"; readonly tasks: readonly TaskDescription[] }
  /** It cannot start: the handlers cannot be loaded. */
  | { readonly type: "unfit"; readonly error: ErrorRecord; readonly problems: readonly string[] }
  /** `waited`: milliseconds that it waited for a slot. */
  | { readonly type: "ended"; readonly run: number; readonly how: EndedRecord; readonly waited: number }
  | { readonly type: "progress"; readonly id: string; readonly value: number; readonly note: string | undefined }
  | LogReport
  | { readonly type: "call"; readonly call: number; readonly what: Call }
  | { readonly type: "blocked"; readonly milliseconds: number; readonly tasks: readonly string[] }
  /** An error that nobody caught, or a rejection that nobody waited for. */
  | { readonly type: "fault"; readonly kind: "exception" | "rejection"; readonly error: ErrorRecord }
  /** `late`: milliseconds by which timers were late at most since the last time; absent where one task runs at a time. */
  | { readonly type: "memory"; readonly bytes: number; readonly late?: number }
  | { readonly type: "pong" };

export interface LogReport {
  readonly type: "log";
  readonly level: "debug" | "info" | "warn" | "error";
  /** JSON as `packFields` makes it. */
  readonly fields: string;
  readonly message: string;
}

/** A task as an isolate found it among the exports of its modules. */
export interface TaskDescription {
  readonly name: string;
  readonly options: ResolvedTaskOptions;
  readonly source: string;
  /** Whether its options hold functions, which no description carries. */
  readonly isPartial: boolean;
}

/** How a handler ended, as plain data. `isOurs`: the error is one of taskferry's, with its code. */
export type EndedRecord =
  | { readonly kind: "returned"; readonly contentType: string; readonly body: Uint8Array }
  | {
      readonly kind: "threw";
      readonly error: ErrorRecord;
      /** The classes of the error: it is of none but Error once it has come over. */
      readonly classes: readonly string[];
      readonly isOurs: boolean;
      readonly isFinal: boolean;
    }
  | { readonly kind: "refused"; readonly error: ErrorRecord }
  | { readonly kind: "stopping" }
  | { readonly kind: "later"; readonly delay: number }
  | { readonly kind: "cancelled"; readonly code: "TASK_CANCELLED" | "TASK_EXPIRED"; readonly reason: string };
