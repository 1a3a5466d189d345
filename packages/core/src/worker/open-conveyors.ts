import type { Broker, OutgoingMessage, PublishResult } from "../broker.ts";
import { composeExecute } from "../compose.ts";
import type { WorkerConfig } from "../config.ts";
import type { Connections } from "../connections.ts";
import { isTaskferryError } from "../errors.ts";
import type { Emitter, WorkerEvent } from "../events.ts";
import { createGroupReader } from "../group-results.ts";
import type { Handler } from "../handler.ts";
import type { Logger } from "../logger.ts";
import type { PatientStart } from "../patient-start.ts";
import type { Pauses } from "../pauses.ts";
import { PlanRunner } from "../plans/plan-runner.ts";
import { createPlanItems } from "../plans/raw-value.ts";
import { checkWorkerProtection, type Protection } from "../protection/protection.ts";
import type { ProviderScope } from "../provider-scope.ts";
import type { ResultBackend } from "../result-backend.ts";
import { createSerializerSet, type SerializerSet } from "../serializer-set.ts";
import { Claims } from "./claims.ts";
import type { CommitParts } from "./commit.ts";
import { type EnqueueChild, JobContext } from "./context.ts";
import { Conveyor } from "./conveyor.ts";
import type { DecodeParts } from "./decode.ts";
import type { Executor } from "./executor.ts";
import { createLoopExecutor } from "./executors/loop.ts";
import type { Gate } from "./gate.ts";
import type { Crew } from "./isolation/crew.ts";
import { isElsewhere } from "./isolation/elsewhere.ts";
import { laneWindow } from "./lane.ts";
import { createLimitGate } from "./limits/limit-gate.ts";
import { persist } from "./persist.ts";
import { Policies } from "./policies.ts";
import { createProgressWriter } from "./progress-writer.ts";
import { createRecorder } from "./recorder.ts";
import { createReplayGuard, noteEndings, type ReplayGuard } from "./replay-guard.ts";
import type { ResolvedQueues, WorkerSettings } from "./settings.ts";
import { StageWriter } from "./stage-writer.ts";
import { UniqueKeys } from "./unique-keys.ts";

export interface OpenConveyorParts {
  readonly config: WorkerConfig;
  readonly settings: WorkerSettings;
  readonly connections: Connections;
  readonly queues: ResolvedQueues;
  readonly crew: Crew;
  readonly providers: ProviderScope;
  readonly pauses: Pauses;
  readonly worker: string;
  readonly emitter: Emitter<WorkerEvent>;
  readonly logger: Logger;
  readonly protection: Protection;
  readonly gates: readonly Gate[];
  readonly patiently: PatientStart;
  readonly enqueueChild: EnqueueChild;
  /** To the broker, through the middlewares. */
  readonly publish: (outgoing: OutgoingMessage) => Promise<PublishResult>;
  /** Whether the worker is still open: an unanswered store or settlement is repeated only then. */
  readonly isWanted: () => boolean;
}

/** Milliseconds for which looks, stores and settlements are repeated while a server is away; leases are kept all the while. */
const patience = 60_000;
/** Milliseconds for which a handler may go on after its timeout or the loss of its lease aborted its signal. */
const abortGrace = 1_000;

/** One conveyor for each queue, with the stations that they share. What every worker runs has no outcome. */
export async function openConveyors(parts: OpenConveyorParts): Promise<readonly Conveyor[]> {
  const { config, settings, connections, queues, crew, worker, emitter, logger } = parts;
  const { protection, pauses, isWanted } = parts;
  const { broker, results, state, broadcast } = connections;
  const { maxBodyBytes, maxDeliveries } = settings;
  const serializers = createSerializerSet(config.serializer, config.serializers);
  const progress = createProgressWriter(state, logger);
  const onError = (error: unknown): void => logger.warn({ error }, "outcomes could not be stored");
  const recorder = results === undefined ? undefined : createRecorder({ results, limit: patience, isWanted, onError });
  checkWorkerProtection(config, {
    state,
    hasResults: results !== undefined,
    isAlone: broker.capabilities.receivers === "every",
  });
  const plans = results === undefined ? undefined : openPlans(parts, { results, serializers });
  crew.services = { serializers, enqueueChild: parts.enqueueChild, results, reportProgress: progress.report };
  const wrap = composeExecute(config.middlewares ?? []);
  const executor = createExecutor(parts, { serializers, wrap, reportProgress: progress.report });
  const decoding = {
    ...{ handlers: crew.handlers, serializers, protection, maxBodyBytes, maxDeliveries, patience, isWanted },
    policies: new Policies(),
    // Middlewares run here, and see the input; so do the keys of limits.
    ...(wrap === undefined && { isReadElsewhere }),
    ...plans?.decoding,
  };
  const gatesOfQueue = openGates(parts);
  const open = async (from: Broker, [queue, concurrency]: readonly [string, number]): Promise<Conveyor> => {
    const hasOutcomes = from.capabilities.receivers === "one";
    const guard = createGuard(parts, hasOutcomes);
    const options = { window: laneWindow(concurrency), lease: settings.lease };
    const consumer = await parts.patiently(() => from.consume(queue, options));
    return new Conveyor({
      broker: from,
      consumer,
      queue,
      concurrency,
      lease: settings.lease,
      patience,
      grace: abortGrace,
      decoding: { ...decoding, queue },
      executor,
      // A middleware that surrounds executions must not see more of them at once than may run.
      sendsAhead: wrap === undefined && crew.keepsSlots,
      gates: guard === undefined ? gatesOfQueue() : [guard, ...gatesOfQueue()],
      committing: {
        ...{ recorder: noteEndings(hasOutcomes ? recorder : undefined, guard), progress, worker },
        ...plans?.committing,
      },
      protection,
      pauses,
      results: hasOutcomes ? results : undefined,
      emitter,
      logger,
    });
  };
  return Promise.all([
    ...[...queues.ordinary].map((entry) => open(broker, entry)),
    ...(broadcast === undefined ? [] : [...queues.broadcast].map((entry) => open(broadcast, entry))),
  ]);
}

/** Gates that only some tasks need, after those that all pass. A limit is asked last, since only it lets tasks wait. */
function openGates({
  settings,
  connections: { state },
  crew,
  gates,
  worker,
  logger,
}: OpenConveyorParts): () => readonly Gate[] {
  const options = [...crew.handlers.values()].map(({ task }) => task.options);
  if (state === undefined) return () => gates;
  const shared = [...gates];
  if (options.some(({ track }) => track))
    shared.push(new StageWriter({ state, worker, lease: settings.lease, logger }));
  if (options.some(({ claim }) => claim)) {
    const onError = (error: unknown): void => logger.warn({ error }, "claims could not be written: tasks wait");
    shared.push(new Claims({ state, lease: settings.lease, onError }));
  }
  if (options.some(({ unique }) => unique !== undefined))
    shared.push(
      new UniqueKeys(state, (error) => logger.warn({ error }, "keys of unique tasks stay taken until their ttl")),
    );
  if (options.every(({ limit }) => limit === undefined)) return () => shared;
  const onError = (error: unknown): void => logger.warn({ error }, "limits could not be asked for: tasks wait");
  return () => [...shared, createLimitGate({ state, lease: settings.lease, onError })];
}

function isReadElsewhere(handler: Handler): boolean {
  return isElsewhere(handler) && handler.task.options.limit?.key === undefined;
}

function createGuard(
  { connections, protection, logger, isWanted }: OpenConveyorParts,
  isShared: boolean,
): ReplayGuard | undefined {
  if (protection.signatures?.refusesReplays !== true) return undefined;
  // What every worker runs has ended for each of them apart.
  return createReplayGuard({ state: isShared ? connections.state : undefined, limit: patience, isWanted, logger });
}

/** What steps of workflows need besides: the results of groups, and what follows an outcome. */
function openPlans(
  { connections: { state }, protection, publish, isWanted, logger }: OpenConveyorParts,
  { results, serializers }: { readonly results: ResultBackend; readonly serializers: SerializerSet },
): { readonly decoding: Pick<DecodeParts, "readGroup">; readonly committing: Pick<CommitParts, "advance"> } {
  const groups = createGroupReader(results, serializers);
  const runner = new PlanRunner({ results, state, publish, items: createPlanItems(groups, serializers) });
  const limits = { limit: patience, isWanted };
  const advance = async (...[message, outcome, isRepeated]: Parameters<PlanRunner["advance"]>): Promise<boolean> => {
    if (message.plan === undefined || !protection.isAuthentic(message)) return false;
    // A fallback gets what the failed step had got.
    const opening = protection.openInput(message, message.queue);
    const opened = opening instanceof Promise ? await opening : opening;
    const { contentType, body } = opened;
    return runner.advance(opened === message ? message : { ...message, contentType, body }, outcome, isRepeated);
  };
  return {
    decoding: { readGroup: (value) => persist(async () => groups.read(value), limits) },
    committing: {
      advance: async (message, outcome, isRepeated) => {
        try {
          return await persist(() => advance(message, outcome, isRepeated), {
            ...limits,
            limit: Number.POSITIVE_INFINITY,
          });
        } catch (error) {
          if (!isTaskferryError(error, "PLAN_EXPIRED")) {
            logger.error({ error, id: message.id }, "what follows a task could not be started: it is delivered again");
            return undefined;
          }
          logger.error({ error, id: message.id }, "what follows a task is not known any more");
          return false;
        }
      },
    },
  };
}

interface ExecutorParts {
  readonly serializers: SerializerSet;
  readonly wrap: ReturnType<typeof composeExecute>;
  readonly reportProgress: (id: string, value: number, note: string | undefined) => void;
}

function createExecutor(
  { connections, crew, protection, providers, emitter, logger, enqueueChild }: OpenConveyorParts,
  { serializers, wrap, reportProgress }: ExecutorParts,
): Executor {
  const contextParts = { logger, reportProgress, enqueueChild };
  const parts = {
    serializers,
    wrap,
    timeoutGrace: abortGrace,
    maxResultBytes: protection.limitOf(connections.results?.capabilities.maxOutcomeBytes ?? Number.POSITIVE_INFINITY),
    keepsResults: connections.results !== undefined,
  };
  const loop = createLoopExecutor({
    ...parts,
    createContext: (job) => new JobContext(job, contextParts),
    providers,
    onAbandoned: ({ message: { id, task, queue, attempt, run } }) => {
      logger.error({ id, task }, "the handler ignored its signal: its slot is used again while it may still run");
      emitter.emit(() => ({ type: "task.abandoned", at: Date.now(), id, task, queue, attempt, run }));
    },
  });
  return crew.executor(loop, parts);
}
