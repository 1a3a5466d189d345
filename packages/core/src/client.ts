import type { Broker, Unsubscribe } from "./broker.ts";
import type { BareHandle, CallableTask, EnqueueArguments } from "./callable-task.ts";
import {
  type Canceller,
  type CancelOptions,
  type CancelStatus,
  createCanceller,
  defaultReason,
} from "./client/canceller.ts";
import { createDeadLetters, type DeadLetters } from "./client/dead-letters.ts";
import { type Handle, type StatelessHandle, TaskHandle } from "./client/handle.ts";
import { readWorkers } from "./client/live-workers.ts";
import { openReaders } from "./client/open-readers.ts";
import { createQueues, type Queues } from "./client/queues.ts";
import { createSchedules, type Schedules } from "./client/schedules.ts";
import type { WorkflowHandle } from "./client/workflow-handle.ts";
import type { WorkflowOptions, Workflows } from "./client/workflows.ts";
import type { ClientConfig } from "./config.ts";
import { type Connections, openConnections, resolveConnections } from "./connections.ts";
import { parseDuration } from "./duration.ts";
import type { Enqueued } from "./enqueue/enqueued.ts";
import type { EnqueueManyOptions, EnqueueResult } from "./enqueue/enqueuer.ts";
import { openEnqueuer } from "./enqueue/open-enqueuer.ts";
import { ConfigurationError, UnsupportedCapabilityError } from "./errors.ts";
import type { EventStream, EventStreamOptions } from "./event-stream.ts";
import { type ClientEvent, createEmitter } from "./events.ts";
import { addListeners } from "./listeners.ts";
import { type Logger, silentLogger } from "./logger.ts";
import { checkId, defaultMaxBodyBytes } from "./message.ts";
import { createPatientStart } from "./patient-start.ts";
import type { WorkerInfo } from "./presence.ts";
import { createProtection, type Protection } from "./protection/protection.ts";
import type { ResultBackend } from "./result-backend.ts";
import { createSerializerSet } from "./serializer-set.ts";
import type { Broadcasted } from "./task.ts";
import type { EnqueueOptions } from "./task-options.ts";
import { isWorkflow, type Workflow } from "./workflow.ts";

/**
 * A handle where results are configured; one with nothing but its id where `results` is `false`, and for a broadcast. It
 * cannot cancel, nor follow progress, where `state` is `false`.
 */
export type ClientHandle<TResults extends boolean, TResult, TState extends boolean = true> = TResults extends true
  ? IsBroadcast<TResult> extends true
    ? BareHandle
    : TState extends true
      ? Handle<TResult>
      : StatelessHandle<TResult>
  : BareHandle;

/** Not so for `any`, nor for `never`. */
type IsBroadcast<TResult> = 0 extends 1 & TResult
  ? false
  : [TResult] extends [never]
    ? false
    : [TResult] extends [Broadcasted]
      ? true
      : false;

/** Enqueues tasks, and gives access to what became of them. Made by {@link createClient}. */
export interface Client<TResults extends boolean = true, TState extends boolean = true> extends AsyncDisposable {
  /**
   * Hands a task to the broker and resolves once the broker has it. Calls of the same moment travel together.
   *
   * @throws ValidationError `INPUT_INVALID`; OptionError; SerializationError `NOT_SERIALIZABLE`; MessageError
   * `MESSAGE_TOO_LARGE`, `HEADERS_TOO_LARGE`; UnsupportedCapabilityError for an option that the broker cannot keep;
   * BrokerError `BROKER_UNAVAILABLE` (it may have been taken: enqueueing again with the same `id` is safe), `BROKER_FULL`.
   */
  enqueue<TInput, TResult>(
    task: CallableTask<TInput, TResult>,
    ...rest: EnqueueArguments<TInput>
  ): Promise<ClientHandle<TResults, TResult, TState>>;
  /**
   * Starts a workflow and resolves once its first tasks are with the broker.
   *
   * @throws ConfigurationError `STATE_REQUIRED` for one with a group where there is no state store, `RESULTS_UNAVAILABLE`
   * where outcomes are not kept.
   */
  enqueue<TInput, TResult>(
    workflow: Workflow<TInput, TResult>,
    ...rest: EnqueueArguments<TInput, WorkflowOptions>
  ): Promise<WorkflowHandle<TResult>>;

  /**
   * Enqueues a task for each input, in batches, and answers per input, in order: one that is refused does not touch its
   * neighbours. Rejects as a whole only for faults of `options`.
   */
  enqueueMany<TInput, TResult>(
    task: CallableTask<TInput, TResult>,
    inputs: readonly TInput[],
    options?: EnqueueManyOptions<TInput>,
  ): Promise<readonly EnqueueResult<ClientHandle<TResults, TResult, TState>>[]>;

  /** The handle of a task that was enqueued elsewhere or earlier. Asks nobody; its first wait or `get` does. */
  handle<TResult>(
    task: CallableTask<unknown, TResult>,
    id: string,
    options?: { readonly queue?: string },
  ): ClientHandle<TResults, TResult, TState>;
  /** The same for a workflow, of the same steps. */
  handle<TResult>(workflow: Workflow<unknown, TResult>, id: string): WorkflowHandle<TResult>;

  /**
   * Cancels tasks by id, as {@link Handle.cancel} does; answers by id, in order.
   *
   * @param options.queue - where they wait. Default: they are looked for in every queue.
   * @throws ConfigurationError `STATE_REQUIRED` where no state store is configured.
   */
  readonly cancel: TState extends true ? CancelMany : never;

  /** Schedules that are made, changed and removed while everything runs. */
  readonly schedules: TState extends true ? Schedules<ClientHandle<TResults, unknown>> : never;

  /**
   * The workers that live, by host and process id: what each said last, `presence` of its configuration ago at most. One
   * that died shows for three times as long.
   *
   * @throws ConfigurationError `STATE_REQUIRED` where no state store is configured.
   */
  readonly workers: TState extends true ? () => Promise<readonly WorkerInfo[]> : never;

  /** The messages that were given up on. */
  readonly deadLetters: DeadLetters;
  /** Looks into queues, empties, moves and pauses them. */
  readonly queues: Queues;
  on(listener: (event: ClientEvent) => void): Unsubscribe;
  /** The same events for `for await`, from this call on until the client has closed. */
  events(options?: EventStreamOptions): EventStream<ClientEvent>;
  /** Waits for enqueues under way, then closes. May be called twice. */
  close(): Promise<void>;
}

export type CancelMany = (
  ids: readonly string[],
  reason?: string,
  options?: CancelOptions & { readonly queue?: string },
) => Promise<readonly CancelStatus[]>;

/** The client of a configuration: what it says of results and state decides what can be asked of it. */
export type ConfiguredClient<TConfig extends ClientConfig> = Client<
  TConfig["results"] extends false ? false : true,
  TConfig["state"] extends false ? false : true
>;

/**
 * Connects to the broker, the result backend and the state store of a configuration.
 *
 * @throws ConfigurationError `RESULTS_UNAVAILABLE` when no result backend can be found and `results` is not `false`,
 * and those of the URL resolution; UnsupportedCapabilityError for results where every worker gets each task; BrokerError `BROKER_UNAVAILABLE` when a server cannot be reached.
 */
export async function createClient<const TConfig extends ClientConfig>(
  config: TConfig,
): Promise<ConfiguredClient<TConfig>> {
  const logger = config.logger ?? silentLogger;
  const { connections, protection } = await resolveProtected(config, logger);
  const { broker, results, state } = connections;
  checkResults(broker, results, config.results);
  const serializers = createSerializerSet(config.serializer, config.serializers);
  const emitter = createEmitter<ClientEvent>((error) => logger.error({ error }, "a listener of the client threw"));
  const readers =
    results &&
    openReaders({
      ...{ broker, results, state, serializers, protection },
      publish: (outgoing) => enqueuer.publish(outgoing),
      maxBodyBytes: protection.limitOf(config.maxBodyBytes ?? defaultMaxBodyBytes),
    });
  const canceller =
    readers?.canceller ?? createCanceller({ broker, results, state, check: () => protection.checkControl(false) });
  const toHandle = (task: CallableTask, parts: Enqueued): BareHandle =>
    readers === undefined || task.options.broadcast
      ? { id: parts.id, task: parts.task }
      : new TaskHandle(parts, task.options.track ? readers.tracked : readers);
  let closing: Promise<void> | undefined;
  const enqueuer = openEnqueuer({
    connections,
    protection,
    config,
    serializers,
    isClosed: () => closing !== undefined,
    emitter,
    toHandle,
  });
  const disconnect = await openConnections(connections, {
    role: "client",
    patiently: createPatientStart({ startTimeout: parseDuration(config.startTimeout ?? 0, "startTimeout"), logger }),
    middlewares: config.middlewares ?? [],
    serializers,
    logger,
    onBrokerEvent: (event) => emitter.emit(() => event),
  });
  addListeners(config.middlewares, emitter.on);
  const close = async (): Promise<void> => {
    await enqueuer.close();
    await disconnect();
    emitter.end();
  };
  const client: ErasedClient = {
    enqueue: async (work, input, options) =>
      isWorkflow(work) ? requireWorkflows(readers).start(work, input, options) : enqueuer.enqueue(work, input, options),
    enqueueMany: (task, inputs, options = {}) => enqueuer.enqueueMany(task, inputs, options),
    handle: (task, id, options) => {
      if (isWorkflow(task)) return requireWorkflows(readers).handle(task, id);
      return toHandle(task, describeEarlier(task, id, options?.queue));
    },
    cancel: cancelManyWith(canceller),
    schedules: createSchedules({ ...config, state, results, serializers, routes: enqueuer.routes, toHandle }),
    workers: () => readWorkers(state),
    deadLetters: createDeadLetters(broker, { publisher: enqueuer.publisher, protection }),
    queues: createQueues({ broker, state, publisher: enqueuer.publisher, protection }),
    on: emitter.on,
    events: emitter.stream,
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => client.close(),
  };
  // The types of tasks and handles are promises of the public signature; here they are erased.
  return client as unknown as ConfiguredClient<TConfig>;
}

async function resolveProtected(
  config: ClientConfig,
  logger: Logger,
): Promise<{ readonly connections: Connections; readonly protection: Protection }> {
  const connections = await resolveConnections(config);
  const protection = createProtection(config, connections.state);
  return { connections: protection.around(connections, logger), protection };
}

function checkResults(broker: Broker, results: ResultBackend | undefined, configured: ClientConfig["results"]): void {
  if (results === undefined && configured !== false) {
    throw new ConfigurationError(
      "RESULTS_UNAVAILABLE",
      `${broker.name} offers no result backend. Set \`results\` to one, or to false for handles that have only an id.`,
    );
  }
  if (results !== undefined && broker.capabilities.receivers === "every") {
    throw new UnsupportedCapabilityError(
      "receivers",
      `${broker.name} delivers each task to every worker, so a task has no single outcome. Set \`results\` to false.`,
    );
  }
}

/** What is known of a task that was enqueued elsewhere or earlier. */
function describeEarlier({ name, options }: CallableTask, id: string, queue = options.queue): Enqueued {
  return { id: checkId(id), task: name, queue, enqueuedAt: undefined, resultTtl: options.resultTtl };
}

function cancelManyWith(canceller: Canceller): CancelMany {
  return (ids, reason = defaultReason, { queue, ...options } = {}) => {
    const targets = ids.map((id) => ({ id, queue }));
    return canceller.cancel(targets, reason, options);
  };
}

function requireWorkflows(readers: { readonly workflows: Workflows } | undefined): Workflows {
  if (readers !== undefined) return readers.workflows;
  throw new ConfigurationError(
    "RESULTS_UNAVAILABLE",
    "A workflow hands results from step to step, and `results` is false. Set it to a result backend.",
  );
}

interface ErasedClient
  extends Pick<Client, "cancel" | "workers" | "deadLetters" | "queues" | "on" | "events" | "close">,
    AsyncDisposable {
  readonly schedules: Schedules<BareHandle>;
  enqueue(
    work: CallableTask | Workflow,
    input?: unknown,
    options?: EnqueueOptions & WorkflowOptions,
  ): Promise<BareHandle | WorkflowHandle>;
  enqueueMany(
    task: CallableTask,
    inputs: readonly unknown[],
    options?: EnqueueManyOptions<never>,
  ): Promise<readonly EnqueueResult<BareHandle>[]>;
  handle(work: CallableTask | Workflow, id: string, options?: { readonly queue?: string }): BareHandle | WorkflowHandle;
}
