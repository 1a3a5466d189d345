import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Unsubscribe } from "./broker.ts";
import { checkTasks } from "./capability-checks.ts";
import type { QueueOptions, WorkerConfig } from "./config.ts";
import { type Connections, openConnections, resolveConnections } from "./connections.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { openEnqueuer } from "./enqueue/open-enqueuer.ts";
import { AbortedError, ClosedError } from "./errors.ts";
import type { EventStream, EventStreamOptions } from "./event-stream.ts";
import { type ConnectionEvent, createEmitter, type Emitter, type WorkerEvent } from "./events.ts";
import type { HandledTask, Handler } from "./handler.ts";
import { addListeners } from "./listeners.ts";
import type { LoadModule } from "./load-module.ts";
import { jsonLogger, type Logger } from "./logger.ts";
import { createPatientStart } from "./patient-start.ts";
import { createPauses } from "./pauses.ts";
import { createProtection, type Protection } from "./protection/protection.ts";
import { createProviderScope, type ProviderScope } from "./provider-scope.ts";
import { createSerializerSet } from "./serializer-set.ts";
import type { StateStore } from "./state-store.ts";
import { createChildren } from "./worker/children.ts";
import type { Conveyor } from "./worker/conveyor.ts";
import { createEnd, stopOnSignals } from "./worker/ends.ts";
import { Crew } from "./worker/isolation/crew.ts";
import { type OpenConveyorParts, openConveyors } from "./worker/open-conveyors.ts";
import { followPauses } from "./worker/pause-watch.ts";
import { openPresence, type PresenceWriter } from "./worker/presence-writer.ts";
import { readSettings, resolveQueues, type WorkerSettings } from "./worker/settings.ts";
import { stopInStages } from "./worker/shutdown.ts";
import { openStateGates } from "./worker/state-gates.ts";

/** Takes tasks from queues and runs their handlers. Made by {@link createWorker}. */
export interface Worker extends AsyncDisposable {
  readonly name: string;
  /**
   * Connects and begins to take tasks. Resolves once it does.
   *
   * @throws ConfigurationError, UnsupportedCapabilityError for a task that the broker cannot keep, BrokerError
   * `BROKER_UNAVAILABLE` when a server cannot be reached.
   */
  start(): Promise<void>;
  /**
   * Starts, and resolves when the worker has stopped. It rejects when it cannot go on, such as when the broker refuses
   * its credentials. SIGINT and SIGTERM stop it in stages, a second one at once; `signals: false` leaves them alone.
   */
  run(options?: { readonly signals?: boolean }): Promise<void>;
  /**
   * Stops in stages: takes no more, hands back what has not started, lets running handlers finish for `timeout` (default:
   * of the configuration), aborts their signals, hands back what still runs after the grace, closes. A second call with
   * a shorter `timeout` hurries the first.
   */
  stop(options?: { readonly timeout?: Duration }): Promise<void>;
  /** `stop()`. May be called twice. */
  close(): Promise<void>;
  on(listener: (event: WorkerEvent) => void): Unsubscribe;
  /** The same events for `for await`, from this call on until the worker has stopped. */
  events(options?: EventStreamOptions): EventStream<WorkerEvent>;
  status(): WorkerStatus;
}

export interface WorkerStatus {
  readonly state: "idle" | "starting" | "running" | "stopping" | "stopped";
  readonly isConnected: boolean;
  /** Handlers that run now, and deliveries that wait for a free slot. */
  readonly running: number;
  readonly buffered: number;
  readonly queues: readonly string[];
  readonly tasks: readonly string[];
  /** Bytes that this process and its child processes hold. */
  readonly memory: number;
}

export interface WorkerOptions extends WorkerConfig {
  /** Imports the modules named in `handlers`. Default: `import()`. The CLI gives one that reads TypeScript. */
  readonly loadModule?: LoadModule;
  /** The module that exports such a `loadModule`, for threads and processes. Default: `import()` there too. */
  readonly loader?: string | URL;
  /** The queues to work on, by the tasks that were found; in place of `queues`. */
  readonly chooseQueues?: (tasks: readonly HandledTask[]) => Readonly<Record<string, QueueOptions>>;
}

/** Makes a worker. It connects to nothing before `start()` or `run()`. */
export function createWorker(options: WorkerOptions): Worker {
  return new TaskWorker(options);
}

class TaskWorker implements Worker {
  readonly name: string;
  readonly #config: WorkerOptions;
  readonly #logger: Logger;
  readonly #emitter: Emitter<WorkerEvent>;
  readonly #end = createEnd();
  readonly #pauses = createPauses();
  #state: WorkerStatus["state"] = "idle";
  #isOpen = false;
  /** Brokers that are out of reach. */
  readonly #away = new Set<string>();
  #conveyors: readonly Conveyor[] = [];
  /** What is ended between the last settlement and the connections. */
  readonly #closing: (() => Promise<void>)[] = [];
  #crew: Crew | undefined;
  #providers: ProviderScope | undefined;
  #presence: PresenceWriter | undefined;
  #disconnect: () => Promise<void> = async () => undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** The shortest timeout that a stop was given. */
  #shortest = Number.POSITIVE_INFINITY;
  #hurry: (timeout: number) => void = () => undefined;

  constructor(config: WorkerOptions) {
    this.#config = config;
    this.name = config.name ?? `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
    this.#logger = (config.logger ?? jsonLogger()).child({ worker: this.name });
    this.#emitter = createEmitter((error) => this.#logger.error({ error }, "a listener of the worker threw"));
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return Promise.reject(new ClosedError("The worker"));
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      this.#state = "stopped";
      await Promise.all([this.#crew?.close(), ...this.#closing.map((close) => close())]);
      await this.#disconnect();
      this.#emitter.end();
      throw this.#stopping === undefined ? error : new ClosedError("The worker");
    });
    return this.#starting;
  }

  async run({ signals = true }: { readonly signals?: boolean } = {}): Promise<void> {
    const release = signals ? stopOnSignals(this) : () => undefined;
    try {
      await this.start();
      await this.#end.promise;
    } finally {
      await this.stop();
      release();
    }
  }

  stop(options?: { readonly timeout?: Duration }): Promise<void> {
    const timeout = parseDuration(options?.timeout ?? this.#config.shutdown?.timeout ?? "25s", "shutdown.timeout");
    this.#shortest = Math.min(this.#shortest, timeout);
    this.#hurry(this.#shortest);
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  close(): Promise<void> {
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  on(listener: (event: WorkerEvent) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  events(options?: EventStreamOptions): EventStream<WorkerEvent> {
    return this.#emitter.stream(options);
  }

  status(): WorkerStatus {
    return {
      state: this.#state,
      isConnected: this.#isOpen && this.#away.size === 0,
      running: this.#conveyors.reduce((sum, { counts }) => sum + counts.running, 0),
      buffered: this.#conveyors.reduce((sum, { counts }) => sum + counts.buffered, 0),
      queues: this.#conveyors.map(({ queue }) => queue),
      tasks: [...(this.#crew?.handlers.keys() ?? [])],
      memory: process.memoryUsage.rss() + (this.#crew?.memory ?? 0),
    };
  }

  async #start(): Promise<void> {
    const config = this.#config;
    this.#state = "starting";
    const settings = readSettings(config);
    const connections = await resolveConnections(config);
    const { broker } = connections;
    const protection = createProtection(config, connections.state);
    const crew = this.#createCrew(settings, connections, protection);
    this.#crew = crew;
    await crew.assemble();
    const queues = resolveQueues(this.#chooseQueues(settings, crew.handlers), crew.handlers);
    const tasks = [...crew.handlers.values()].map(({ task }) => task);
    checkTasks(tasks, connections);
    const guarded = protection.around(connections, this.#logger);
    const patiently = createPatientStart({
      startTimeout: settings.startTimeout,
      isWanted: () => this.#stopping === undefined,
      logger: this.#logger,
    });
    this.#disconnect = await openConnections(guarded, {
      role: "worker",
      patiently,
      isListening: queues.broadcast.size > 0,
      middlewares: config.middlewares ?? [],
      serializers: createSerializerSet(config.serializer, config.serializers),
      pause: this.#pauses.pause,
      logger: this.#logger,
      onBrokerEvent: (event) => this.#onBrokerEvent(event),
    });
    this.#isOpen = true;
    addListeners(config.middlewares, this.#emitter.on);
    const { gates, stop } = openStateGates(guarded, { worker: this.name, lease: settings.lease, logger: this.#logger });
    this.#closing.push(stop);
    const providers = this.#openProviders();
    await providers.start(crew.handlers.values());
    this.#conveyors = await openConveyors({
      config,
      settings,
      connections: guarded,
      protection,
      queues,
      crew,
      providers,
      pauses: this.#pauses,
      worker: this.name,
      emitter: this.#emitter,
      logger: this.#logger,
      gates,
      patiently,
      ...this.#openEnqueueing(guarded, protection),
      isWanted: () => this.#state !== "stopped",
    });
    await this.#followPauses(guarded.state, this.#conveyors.slice(0, queues.ordinary.size));
    this.#state = "running";
    this.#presence = openPresence(this, this.#logger, { ...guarded, ...settings, crew, conveyors: this.#conveyors });
    this.#logger.info(
      {
        broker: broker.name,
        queues: Object.fromEntries(queues.ordinary),
        ...(queues.broadcast.size > 0 && { broadcasts: Object.fromEntries(queues.broadcast) }),
        tasks: [...crew.handlers.keys()],
      },
      "the worker has started",
    );
    this.#tell("worker.started");
    for (const conveyor of this.#conveyors) conveyor.run().catch((error: unknown) => this.#crash(conveyor, error));
  }

  #createCrew(settings: WorkerSettings, { root, results }: Connections, protection: Protection): Crew {
    return new Crew({
      config: this.#config,
      worker: this.name,
      settings,
      root,
      hasResults: results !== undefined,
      maxBodyBytes: protection.limitOf(settings.maxBodyBytes),
      maxResultBytes: protection.limitOf(results?.capabilities.maxOutcomeBytes ?? Number.POSITIVE_INFINITY),
      logger: this.#logger,
      emitter: this.#emitter,
      onHopeless: (error) => {
        this.#logger.error({ error }, "no process for handlers can be started any more");
        this.#end.reject(error);
      },
    });
  }

  #chooseQueues(settings: WorkerSettings, handlers: ReadonlyMap<string, Handler>): WorkerSettings {
    const { chooseQueues, ...config } = this.#config;
    if (chooseQueues === undefined) return settings;
    return readSettings({ ...config, queues: chooseQueues([...handlers.values()].map(({ task }) => task)) });
  }

  /** What they make ends before the connections do. */
  #openProviders(): ProviderScope {
    const { overrides = [] } = this.#config;
    const providers = createProviderScope({ context: { worker: this.name, log: this.#logger }, overrides });
    this.#providers = providers;
    this.#closing.push(() => providers.close());
    return providers;
  }

  async #stop(): Promise<void> {
    // A module of handlers may take for ever to load in its process, and so may what connects.
    if (this.#state === "starting") await Promise.all([this.#crew?.close(), this.#providers?.close()]);
    await this.#starting?.catch(() => undefined);
    if (this.#state === "idle") this.#emitter.end();
    if (this.#state === "stopped" || this.#state === "idle") return;
    this.#state = "stopping";
    this.#presence?.tell();
    this.#tell("worker.stopping");
    await stopInStages(this.#conveyors, {
      timeout: this.#shortest,
      grace: parseDuration(this.#config.shutdown?.grace ?? "2s", "shutdown.grace"),
      onHurry: (hurry) => {
        this.#hurry = hurry;
      },
      reason: new AbortedError(
        "WORKER_STOPPING",
        "The worker is stopping: the task is handed back unless its handler ends now.",
      ),
      onStage: (stage) => this.#logger.info({ stage }, "stopping"),
    });
    this.#state = "stopped";
    await Promise.all([this.#crew?.close(), this.#presence?.stop(), ...this.#closing.map((close) => close())]);
    await this.#disconnect();
    this.#isOpen = false;
    this.#logger.info({}, "the worker has stopped");
    this.#tell("worker.stopped");
    this.#emitter.end();
    this.#end.resolve();
  }

  /** Before anything is taken it is known which queues are paused. */
  async #followPauses(state: StateStore | undefined, queues: readonly Conveyor[]): Promise<void> {
    if (state === undefined) return;
    const watch = followPauses({ state, queues, worker: this.name, emitter: this.#emitter, logger: this.#logger });
    this.#closing.push(() => watch.stop());
    await watch.known;
  }

  #openEnqueueing(
    connections: Connections,
    protection: Protection,
  ): Pick<OpenConveyorParts, "enqueueChild" | "publish"> {
    const enqueuer = openEnqueuer({
      connections,
      protection,
      config: this.#config,
      serializers: createSerializerSet(this.#config.serializer, this.#config.serializers),
      isClosed: () => this.#state === "stopped",
      emitter: this.#emitter,
      toHandle: ({ name }, { id }) => ({ id, task: name }),
    });
    this.#closing.push(() => enqueuer.close());
    const enqueueChild = createChildren({ state: connections.state, enqueue: enqueuer.enqueue });
    return { enqueueChild, publish: enqueuer.publish };
  }

  #onBrokerEvent(event: ConnectionEvent): void {
    if (event.event.type === "connected") this.#away.delete(event.broker);
    if (event.event.type === "disconnected") this.#away.add(event.broker);
    this.#emitter.emit(() => event);
  }

  #crash(conveyor: Conveyor, error: unknown): void {
    this.#logger.error({ error, queue: conveyor.queue }, "the worker cannot take tasks any more");
    this.#end.reject(error);
  }

  #tell(type: "worker.started" | "worker.stopping" | "worker.stopped"): void {
    this.#emitter.emit(() => ({ type, at: Date.now(), worker: this.name }));
  }
}
