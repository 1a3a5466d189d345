import type { BrokerEvent, DeadLetterReason, Unsubscribe } from "./broker.ts";
import { createEventStream, type EventStream, type EventStreamOptions } from "./event-stream.ts";
import type { ErrorRecord } from "./outcome.ts";

/**
 * Everything that happens to a task and to a connection, as one typed union: it serves tests, metrics and dashboards.
 * Times are wall-clock epoch milliseconds. A listener is called at once and must be quick; one that throws harms nothing.
 */
export type TaskferryEvent = ClientEvent | WorkerEvent | SchedulerEvent;

export type ClientEvent = EnqueueEvent | ConnectionEvent;

/** Of a client, and of a worker whose handlers enqueue. */
export type EnqueueEvent =
  /** The broker has taken it over. */
  | (TaskEvent & { readonly type: "task.enqueued" })
  /** The broker had it already: the same id, enqueued before. */
  | (TaskEvent & { readonly type: "task.duplicate" });

export type WorkerEvent =
  | EnqueueEvent
  | {
      readonly type: "worker.started" | "worker.stopping" | "worker.stopped";
      readonly at: number;
      readonly worker: string;
    }
  /** It takes nothing from the queue any more, or takes again. */
  | {
      readonly type: "queue.paused" | "queue.resumed";
      readonly at: number;
      readonly worker: string;
      readonly queue: string;
    }
  /** A delivery came in, was read, and waits for a free slot. */
  | (TaskEvent & { readonly type: "task.received"; readonly deliveryCount: number | undefined })
  /** Its handler begins. `wait`: milliseconds since it was enqueued, or since its delay was over. */
  | (TaskEvent & { readonly type: "task.started"; readonly wait: number })
  /** Its handler has ended; what becomes of it comes next. `duration` in milliseconds. */
  | (TaskEvent & { readonly type: "task.executed"; readonly duration: number })
  /** Settled: the outcome stands and the broker has forgotten it. */
  | (TaskEvent & { readonly type: "task.succeeded" })
  /** Settled: no attempts left, in the dead letters. */
  | (TaskEvent & { readonly type: "task.failed"; readonly error: ErrorRecord })
  | (TaskEvent & {
      readonly type: "task.cancelled";
      readonly code: "TASK_CANCELLED" | "TASK_EXPIRED";
      readonly reason: string;
    })
  /** Settled: comes again after `delay` milliseconds. `error` is absent for `RetryLater`. */
  | (TaskEvent & { readonly type: "task.retrying"; readonly delay: number; readonly error: ErrorRecord | undefined })
  /** Settled: a limit of its task is reached, so it comes again after about `delay` milliseconds, its attempt unspent. */
  | (TaskEvent & { readonly type: "task.limited"; readonly delay: number })
  /** Settled: handed back unspent. */
  | (TaskEvent & { readonly type: "task.released" })
  /** Settled: could not be run at all; in the dead letters. Parts that could not be read are empty. */
  | (TaskEvent & { readonly type: "task.rejected"; readonly reason: DeadLetterReason })
  /** Settled: delivered again although its outcome stands; not run. */
  | (TaskEvent & { readonly type: "task.repeated" })
  /** Delivered again while it runs here; the running execution goes on under the new delivery. */
  | (TaskEvent & { readonly type: "task.adopted" })
  /** The delivery belongs to another worker now; nothing was decided here. */
  | (TaskEvent & { readonly type: "task.lost" })
  /** Its handler ignored its signal; its slot is used again while the handler may still run. */
  | (TaskEvent & { readonly type: "task.abandoned" })
  /** Once a second, where handlers share the event loop of a child process: by how much its timers were late, at most. */
  | { readonly type: "handlers.late"; readonly at: number; readonly milliseconds: number }
  | ConnectionEvent;

export type SchedulerEvent =
  | { readonly type: "scheduler.started" | "scheduler.stopped"; readonly at: number; readonly scheduler: string }
  /** The broker has taken a fire over from this scheduler. `time`: its nominal time. */
  | (ScheduleEvent & { readonly type: "schedule.fired"; readonly id: string; readonly time: number })
  /** Nominal times from `since` on were later than the grace; the misfire policy decided. */
  | (ScheduleEvent & { readonly type: "schedule.missed"; readonly since: number })
  /** A fire that can never be enqueued was left out. */
  | (ScheduleEvent & { readonly type: "schedule.refused"; readonly time: number; readonly error: Error })
  | ConnectionEvent;

export interface ScheduleEvent {
  readonly at: number;
  readonly schedule: string;
}

export interface TaskEvent {
  readonly at: number;
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly attempt: number;
  readonly run: number;
}

export interface ConnectionEvent {
  readonly type: "broker";
  readonly at: number;
  readonly broker: string;
  readonly event: BrokerEvent;
}

/** Delivers events to listeners. `make` runs only when somebody listens. */
export interface Emitter<TEvent> {
  on(listener: (event: TEvent) => void): Unsubscribe;
  /** Events from now on, as they come, until the emitter ends. */
  stream(options?: EventStreamOptions): EventStream<TEvent>;
  /** Ends all streams, present and to come. */
  end(): void;
  /** Whether anybody listens: to be asked first where tasks pass by the thousand, so that they do not even make `make`. */
  readonly isHeard: boolean;
  emit(make: () => TEvent): void;
}

/** @param onError - told of what a listener threw. */
export function createEmitter<TEvent>(onError: (error: unknown) => void): Emitter<TEvent> {
  const listeners = new Set<(event: TEvent) => void>();
  const ending = new AbortController();
  return {
    on: (listener) => {
      const own = (event: TEvent): void => listener(event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    stream: (options = {}) =>
      createEventStream(options, ending.signal, (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      }),
    end: () => ending.abort(),
    get isHeard() {
      return listeners.size > 0;
    },
    emit: (make) => {
      if (listeners.size === 0) return;
      const event = make();
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
