// biome-ignore-all assist/source/organizeImports: in the order of a task's life, as a table of contents
// The life of one task, in order. A name that is not listed here is not public.

// Tasks and their handlers
export type { BareHandle, CallableTask, ChildOptions } from "./callable-task.ts";
export type { Broadcasted, HandlerNeeds, Task, TaskInput, TaskOutput } from "./task.ts";
export { defineTask, isTask } from "./task.ts";
export type {
  EnqueueOptions,
  Isolation,
  ResolvedTaskOptions,
  RetryOptions,
  TaskDefinition,
  TaskOptions,
} from "./task-options.ts";
export { defaultTaskOptions } from "./task-options.ts";
export type { LimitOptions, ResolvedLimit } from "./limit.ts";
export type { ResolvedUnique, UniqueOptions } from "./unique.ts";
export type { Schema, SchemaInput, SchemaOutput } from "./schema.ts";
export { type } from "./schema.ts";
export type { HandledTask, Handler, HandlerContext, TaskHandler } from "./handler.ts";
export { isHandler } from "./handler.ts";
export type { MisfireOptions, Overlap, Schedule, ScheduleOptions, SchedulePolicy } from "./schedule.ts";
export { defineSchedule, isSchedule } from "./schedule.ts";
export type { Timing, TimingOptions } from "./timing/timing.ts";
export type {
  Provider,
  ProvidedValues,
  ProviderNeeds,
  ProviderOptions,
  ProviderOverride,
  WorkerContext,
} from "./provider.ts";
export { isProvider, provide, provideValue } from "./provider.ts";
export type { ProviderScope, ProviderScopeParts, ScopedExecution } from "./provider-scope.ts";
export { createProviderScope } from "./provider-scope.ts";
export type { Duration } from "./duration.ts";
export { parseDuration } from "./duration.ts";
export type { ByteSize } from "./byte-size.ts";
export { parseByteSize } from "./byte-size.ts";

// Workflows
export type {
  GroupOptions,
  Linked,
  Step,
  StepInput,
  StepOptions,
  StepOutput,
  Workflow,
  WrongLink,
} from "./workflow.ts";
export { chain, chord, group, isWorkflow, map, step } from "./workflow.ts";
export { GroupResults } from "./group-results.ts";
export type { FailureRule } from "./plan.ts";
export type { WorkflowHandle } from "./client/workflow-handle.ts";
export type { WorkflowOptions } from "./client/workflows.ts";
export type { WorkflowTree } from "./client/workflow-tree.ts";

// Configuration
export type {
  ClientConfig,
  Config,
  ConnectionConfig,
  IsolationOptions,
  QueueOptions,
  SchedulerConfig,
  ShutdownOptions,
  UrlSchemes,
  WorkerConfig,
} from "./config.ts";
export { defineConfig } from "./config.ts";
export type { Connections } from "./connections.ts";
export { resolveConnections } from "./connections.ts";
export { findRoot } from "./root.ts";
export { redactUrl } from "./url-schemes.ts";

// Client
export type { CancelMany, Client, ClientHandle, ConfiguredClient } from "./client.ts";
export { createClient } from "./client.ts";
export type { EnqueueManyOptions, EnqueueResult } from "./enqueue/enqueuer.ts";
export type { Handle, StatelessHandle } from "./client/handle.ts";
export type { CancelMode } from "./cancellation.ts";
export type { CancelOptions, CancelStatus } from "./client/canceller.ts";
export type { TaskStatus, WaitLimits } from "./client/outcome-reader.ts";
export type { Progress } from "./progress.ts";
export type { TaskStage } from "./stage.ts";
export type { ScheduleInfo, Schedules } from "./client/schedules.ts";
export type { DeadLetterFilter, DeadLetters, ReplayReport } from "./client/dead-letters.ts";
export type { MoveReport, Queues } from "./client/queues.ts";
export type { PausedQueue } from "./pause.ts";
export type { RunningTask, WorkerInfo, WorkerQueue } from "./presence.ts";

// Messages and serializers
export type { Message, MessagePolicy } from "./message.ts";
export { decodeMessage, encodeMessage } from "./frame.ts";
export { readDelivery } from "./read-delivery.ts";
export {
  checkId,
  checkName,
  dedupeId,
  defaultMaxBodyBytes,
  defaultPriority,
  fromHeaders,
  maxHeaderBytes,
  toHeaders,
} from "./message.ts";
export type { Serializer } from "./serializer.ts";
export type { JsonSerializerOptions } from "./serializers/json.ts";
export { jsonSerializer } from "./serializers/json.ts";
export type { TaggedValues } from "./serializers/tagged.ts";
export { taggedValues } from "./serializers/tagged.ts";
export type { CompressionOptions } from "./serializers/compressed.ts";
export { compressed } from "./serializers/compressed.ts";

// Protection: what is signed, encrypted, or kept beside its message
export type { ProtectedDomain } from "./protection/body.ts";
export type { SignatureKey, Signatures, SignaturesOptions, SignedContent } from "./protection/signatures.ts";
export { ed25519Key, hmacKey, signatures } from "./protection/signatures.ts";
export type { Encryption, EncryptionKey, EncryptionOptions } from "./protection/encryption.ts";
export { aesKey, encryption } from "./protection/encryption.ts";
export type { ClaimCheck, ClaimCheckOptions } from "./protection/claim-check.ts";
export { claimCheck } from "./protection/claim-check.ts";

// Brokers
export type {
  Broker,
  BrokerAdmin,
  BrokerCapabilities,
  BrokerCompanions,
  BrokerEvent,
  ConsumeOptions,
  Consumer,
  DeadLetterReason,
  Delivery,
  ListOptions,
  MalformedDelivery,
  OutgoingMessage,
  PublishOptions,
  PublishResult,
  QueueEntry,
  QueuePage,
  QueueDepth,
  QueueSection,
  ReadableDelivery,
  Settlement,
  SettleResult,
  Support,
  Unsubscribe,
} from "./broker.ts";
export type { Connectable } from "./lifecycle.ts";
export { countedLifecycle, monotonicNow } from "./lifecycle.ts";

// Worker
export type { Worker, WorkerOptions, WorkerStatus } from "./worker.ts";
export { createWorker } from "./worker.ts";
export { workerHeapOptions } from "./worker/heap-options.ts";
export type {
  FoundHandler,
  FoundHandlers,
  HandlerProblem,
  HandlerSources,
} from "./worker/load-handlers.ts";
export { findHandlers, loadHandlers } from "./worker/load-handlers.ts";
export type { LoadModule } from "./load-module.ts";

// Scheduler
export type { Scheduler, SchedulerOptions, SchedulerStatus } from "./scheduler.ts";
export { createScheduler } from "./scheduler.ts";
export type { Clock } from "./clock.ts";

// Middlewares and events
export type { Execution, ExecutionOptions, Middleware, MiddlewareHost, Surroundings } from "./middleware.ts";
export { shortCircuit } from "./middleware.ts";
export type {
  ClientEvent,
  ConnectionEvent,
  ScheduleEvent,
  SchedulerEvent,
  TaskEvent,
  TaskferryEvent,
  WorkerEvent,
} from "./events.ts";
export type { ErrorMatch } from "./middlewares/error-match.ts";
export type { LoggingOptions } from "./middlewares/logging.ts";
export { logging } from "./middlewares/logging.ts";
export type { RetryByErrorOptions, RetryLaterRule } from "./middlewares/retry-by-error.ts";
export { retryByError } from "./middlewares/retry-by-error.ts";
export type { IdempotencyOptions } from "./middlewares/idempotency.ts";
export { idempotency } from "./middlewares/idempotency.ts";
export type { CircuitBreaker, CircuitBreakerOptions } from "./middlewares/circuit-breaker.ts";
export { circuitBreaker } from "./middlewares/circuit-breaker.ts";
export type { EventStream, EventStreamOptions } from "./event-stream.ts";

// Outcomes, results and state
export type {
  CancelledOutcome,
  ErrorRecord,
  FailedOutcome,
  Outcome,
  StoredOutcome,
  SucceededOutcome,
} from "./outcome.ts";
export { decodeOutcome, encodeOutcome } from "./outcome.ts";
export type { ResultBackend, ResultCapabilities, WaitOptions } from "./result-backend.ts";
export type {
  StateChange,
  StateDelete,
  StateEntry,
  StateKey,
  StatePage,
  StatePut,
  StatePutResult,
  StateStore,
} from "./state-store.ts";
export { maxStateValueBytes } from "./state-store.ts";

// Work that need not survive
export type { Background, BackgroundContext, BackgroundOptions, BackgroundSetup } from "./background.ts";
export { createBackground } from "./background.ts";

// Memory
export type { MemoryBroker, MemoryOptions } from "./memory/broker.ts";
export { memory } from "./memory/broker.ts";
export { memoryFanout } from "./memory/fanout.ts";
export type { MemoryResults } from "./memory/results.ts";
export { memoryResults } from "./memory/results.ts";
export { memoryState } from "./memory/state.ts";

// Logs and errors
export type { Logger } from "./logger.ts";
export { jsonLogger, silentLogger } from "./logger.ts";
export type { ErrorCode, ValidationIssue } from "./errors.ts";
export {
  AbortedError,
  BrokerError,
  CancelTask,
  ClosedError,
  ConfigurationError,
  CrashError,
  FailTask,
  isTaskferryError,
  MessageError,
  MiddlewareError,
  OptionError,
  ProviderError,
  ResultMissingError,
  ResultTimeoutError,
  RetryLater,
  SerializationError,
  TaskCancelledError,
  TaskFailedError,
  TaskNotUniqueError,
  TaskferryError,
  UnsupportedCapabilityError,
  ValidationError,
} from "./errors.ts";

// For brokers, result backends and state stores
export { BrokerListeners } from "./broker-listeners.ts";
export { createId, idOrigin, idTime, newestIdTime, ownOrigin } from "./id.ts";
export { OutcomeWaits } from "./outcome-waits.ts";
export type { Hearing, OutcomeFeed, OwnOutcomesParts } from "./own-outcomes.ts";
export { OwnOutcomes } from "./own-outcomes.ts";
export type { AnnouncedChange, StateWatchParts } from "./state-watch.ts";
export { StateWatch } from "./state-watch.ts";
export { TurnoverMap, TurnoverSet } from "./turnover.ts";
