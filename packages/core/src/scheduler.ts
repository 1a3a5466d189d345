import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Unsubscribe } from "./broker.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { SchedulerConfig } from "./config.ts";
import { openConnections, resolveConnections } from "./connections.ts";
import { parseDuration } from "./duration.ts";
import { createPublisher } from "./enqueue/publisher.ts";
import { createRoutes, type Routes } from "./enqueue/routes.ts";
import { ClosedError, ConfigurationError } from "./errors.ts";
import type { EventStream, EventStreamOptions } from "./event-stream.ts";
import { createEmitter, type Emitter, type SchedulerEvent } from "./events.ts";
import { addListeners } from "./listeners.ts";
import type { LoadModule } from "./load-module.ts";
import { jsonLogger, type Logger } from "./logger.ts";
import { createPatientStart } from "./patient-start.ts";
import { createProtection } from "./protection/protection.ts";
import type { Schedule } from "./schedule.ts";
import { FireMaker } from "./scheduler/fire-maker.ts";
import { loadSchedules } from "./scheduler/load-schedules.ts";
import { type Mirrored, ScheduleMirror } from "./scheduler/schedule-mirror.ts";
import { Timekeeper } from "./scheduler/timekeeper.ts";
import { makeTemplate } from "./schedules/make.ts";
import { codeTtl } from "./schedules/record.ts";
import { createRegistry, newRecord, redefine, type ScheduleRegistry } from "./schedules/registry.ts";
import { createSerializerSet } from "./serializer-set.ts";
import type { StateStore } from "./state-store.ts";

/**
 * Enqueues by time. Any number of schedulers run side by side on one state store; none leads. A fire has an id that each
 * of them finds, is enqueued under it, and then the schedule's cursor moves by compare-and-set: so it does not matter who
 * is first, nor who dies meanwhile. Made by {@link createScheduler}.
 */
export interface Scheduler extends AsyncDisposable {
  readonly name: string;
  /**
   * Connects, writes the schedules of the configuration into the state store, and begins to fire. Resolves once it does.
   *
   * @throws ConfigurationError, `STATE_REQUIRED` among them; UnsupportedCapabilityError; BrokerError `BROKER_UNAVAILABLE`.
   */
  start(): Promise<void>;
  /** Ends what is under way, then closes. May be called twice. */
  stop(): Promise<void>;
  /** `stop()`. */
  close(): Promise<void>;
  on(listener: (event: SchedulerEvent) => void): Unsubscribe;
  /** The same events for `for await`, from this call on until the scheduler has stopped. */
  events(options?: EventStreamOptions): EventStream<SchedulerEvent>;
  status(): SchedulerStatus;
}

export interface SchedulerStatus {
  readonly state: "idle" | "starting" | "running" | "stopped";
  readonly isConnected: boolean;
  /** Schedules that are known, those of others in code included. */
  readonly schedules: number;
}

export interface SchedulerOptions extends SchedulerConfig {
  /** Names it in events and logs. Default: host name, process id and a random part. */
  readonly name?: string;
  /** Imports the modules named in `schedules`. Default: `import()`. */
  readonly loadModule?: LoadModule;
  /** For tests: the time to go by. Default: that of the machine. */
  readonly clock?: Clock;
}

/** Makes a scheduler. It connects to nothing before `start()`. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new TaskScheduler(options);
}

/** Milliseconds that one publish may take: what is tried again, is tried again by whoever is there. */
const longestPublish = 5_000;

class TaskScheduler implements Scheduler {
  readonly name: string;
  readonly #options: SchedulerOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #emitter: Emitter<SchedulerEvent>;
  /** Undone in reverse order. */
  readonly #closing: (() => Promise<void>)[] = [];
  #state: SchedulerStatus["state"] = "idle";
  #isConnected = false;
  #mirror: ScheduleMirror | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.name = options.name ?? `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
    this.#logger = (options.logger ?? jsonLogger()).child({ scheduler: this.name });
    this.#emitter = createEmitter((error) => this.#logger.error({ error }, "a listener of the scheduler threw"));
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return Promise.reject(new ClosedError("The scheduler"));
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      await this.#close();
      this.#emitter.end();
      throw error;
    });
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  close(): Promise<void> {
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  on(listener: (event: SchedulerEvent) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  events(options?: EventStreamOptions): EventStream<SchedulerEvent> {
    return this.#emitter.stream(options);
  }

  status(): SchedulerStatus {
    return { state: this.#state, isConnected: this.#isConnected, schedules: this.#mirror?.size ?? 0 };
  }

  async #start(): Promise<void> {
    this.#state = "starting";
    const options = this.#options;
    const connections = await resolveConnections(options);
    const { broker, root } = connections;
    const protection = createProtection(options, connections.state);
    const guarded = protection.around(connections, this.#logger);
    const state = requireState(guarded.state);
    const schedules = await loadSchedules({ ...options, root }, options.loadModule);
    const disconnect = await openConnections(
      { ...guarded, results: undefined },
      {
        role: "client",
        patiently: createPatientStart({
          startTimeout: parseDuration(options.startTimeout ?? 0, "startTimeout"),
          isWanted: () => this.#stopping === undefined,
          logger: this.#logger,
        }),
        middlewares: options.middlewares ?? [],
        serializers: createSerializerSet(options.serializer, options.serializers),
        logger: this.#logger,
        onBrokerEvent: (event) => {
          const { type } = event.event;
          if (type === "connected" || type === "disconnected") this.#isConnected = type === "connected";
          this.#emitter.emit(() => event);
        },
      },
    );
    this.#closing.push(disconnect);
    this.#isConnected = true;
    addListeners(options.middlewares, this.#emitter.on);
    const publishTimeout = Math.min(longestPublish, parseDuration(options.publishTimeout ?? "30s", "publishTimeout"));
    const publisher = createPublisher(broker, publishTimeout);
    const middlewares = options.middlewares ?? [];
    const routes = createRoutes({ connections, publisher, middlewares, protection, publishTimeout });
    this.#closing.push(() => routes.close());
    const registry = createRegistry(state);
    for (const schedule of schedules) await this.#register(schedule, { registry, routes });
    this.#run({ state, registry, routes, publishTimeout, codeIds: new Set(schedules.map(({ id }) => id)) });
    this.#state = "running";
    this.#logger.info(
      { broker: broker.name, state: state.name, schedules: schedules.map(({ id }) => id) },
      "the scheduler has started",
    );
    this.#tell("scheduler.started");
  }

  #run({ state, registry, routes, publishTimeout, codeIds }: RunParts): void {
    const logger = this.#logger;
    const mirror = new ScheduleMirror({ state, logger, onChange: () => timekeeper.wake() });
    const maker = new FireMaker({
      scheduler: this.name,
      state,
      registry,
      mirror,
      routes,
      clock: this.#clock,
      publishTimeout,
      isWanted: () => this.#stopping === undefined,
      tell: (event) => this.#report(event),
    });
    const timekeeper = new Timekeeper({
      mirror,
      clock: this.#clock,
      make: (mirrored) => maker.make(mirrored),
      refresh: (mirrored) => this.#refresh(mirrored, registry, mirror),
      isOurs: ({ stored: { id, record } }) => record.source === "client" || codeIds.has(id),
      onError: (error, schedule) => logger.warn({ error, schedule }, "a schedule could not be fired: trying again"),
    });
    this.#mirror = mirror;
    this.#closing.push(
      () => mirror.stop(),
      () => timekeeper.stop(),
    );
    timekeeper.wake();
  }

  /** One in code is the same whoever starts first; where it was changed, whoever starts last decides. */
  async #register(schedule: Schedule, { registry, routes }: Pick<RunParts, "registry" | "routes">): Promise<void> {
    const { serializer, serializers, maxBodyBytes } = this.#options;
    const parts = {
      routes,
      serializers: createSerializerSet(serializer, serializers),
      ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    };
    const fire = await makeTemplate(schedule, parts);
    const fresh = newRecord(schedule, { fire, source: "code", now: this.#clock.now() });
    const put = async (): Promise<boolean> =>
      (await registry.change(schedule.id, (record) => redefine(record, fresh))) !== undefined ||
      (await registry.create(schedule.id, fresh)) !== undefined;
    while (!(await put())) this.#logger.debug({ schedule: schedule.id }, "another scheduler writes it just now");
  }

  /** What is in code is written again long before it would be forgotten. */
  async #refresh({ stored }: Mirrored, registry: ScheduleRegistry, mirror: ScheduleMirror): Promise<void> {
    const { record, expiresAt } = stored;
    if (record.source !== "code" || expiresAt === undefined || expiresAt - this.#clock.now() > codeTtl / 2) return;
    const standing = await registry.advance(stored, record);
    if (standing !== undefined) mirror.learn(standing);
  }

  #report(event: SchedulerEvent): void {
    if (event.type === "schedule.missed")
      this.#logger.warn({ schedule: event.schedule, since: new Date(event.since) }, "fires were missed");
    if (event.type === "schedule.refused")
      this.#logger.error({ schedule: event.schedule, error: event.error }, "a fire was refused, and is left out");
    this.#emitter.emit(() => event);
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined);
    if (this.#state === "running") {
      await this.#close();
      this.#logger.info({}, "the scheduler has stopped");
      this.#tell("scheduler.stopped");
    }
    this.#emitter.end();
  }

  async #close(): Promise<void> {
    this.#state = "stopped";
    this.#isConnected = false;
    for (const close of this.#closing.splice(0).toReversed()) await close();
  }

  #tell(type: "scheduler.started" | "scheduler.stopped"): void {
    this.#emitter.emit(() => ({ type, at: Date.now(), scheduler: this.name }));
  }
}

interface RunParts {
  readonly state: StateStore;
  readonly registry: ScheduleRegistry;
  readonly routes: Routes;
  readonly publishTimeout: number;
  readonly codeIds: ReadonlySet<string>;
}

function requireState(state: StateStore | undefined): StateStore {
  if (state !== undefined) return state;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    "A scheduler needs a state store. Set `state`, or a broker or result backend that offers one.",
  );
}
