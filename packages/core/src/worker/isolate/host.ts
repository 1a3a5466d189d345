import type { Delivery } from "../../broker.ts";
import { recordError } from "../../error-record.ts";
import { AbortedError, isTaskferryError } from "../../errors.ts";
import { createGroupReader } from "../../group-results.ts";
import type { Message } from "../../message.ts";
import type { RawValue } from "../../plans/raw-value.ts";
import { createProtection } from "../../protection/protection.ts";
import { createProviderScope, type ProviderScope } from "../../provider-scope.ts";
import { type Captured, type NamedSurroundings, restore } from "../../surroundings.ts";
import { JobContext } from "../context.ts";
import { type DecodeParts, decode } from "../decode.ts";
import type { Executor, OnEnd } from "../executor.ts";
import { createLoopExecutor } from "../executors/loop.ts";
import { toEndedRecord } from "../isolation/ended-record.ts";
import type { IsolateStart, Request, RunRequest } from "../isolation/protocol.ts";
import { type Ended, Job, type Unrunnable } from "../job.ts";
import { measureLateness } from "../loop-lateness.ts";
import { Policies } from "../policies.ts";
import { checkProgress } from "../progress-writer.ts";
import { Calls } from "./calls.ts";
import { loadProgram, type Program } from "./load-program.ts";
import { type LoopDelay, watchLoopDelay } from "./loop-delay.ts";
import type { Port } from "./ports.ts";
import { proxiedLogger } from "./proxied-logger.ts";
import { Slots } from "./slots.ts";

interface Stations {
  readonly decoding: DecodeParts;
  readonly executor: Executor;
  readonly loopDelay: LoopDelay;
  readonly surroundings: readonly NamedSurroundings[];
  readonly blockedAfter: number;
}

interface Beginning {
  readonly stations: Stations;
  readonly captured: Captured | undefined;
  readonly end: (ended: Ended) => void;
}

/** Milliseconds of a blocked event loop in which something may have come. */
const longBlock = 10;

/**
 * A worker's stations that are user code's: reads the input, runs the handler, writes the result, in a thread or process
 * apart from the worker that took the task. What lives as long as a thread does is made here, once.
 */
export class Host {
  readonly #port: Port;
  /** By the number of their run; `undefined` while an input is still being read. */
  readonly #jobs = new Map<number, Job | undefined>();
  /** Aborts of runs whose input is still being read. */
  readonly #early = new Map<number, AbortedError>();
  readonly #calls: Calls;
  readonly #runs = new WeakMap<Job, number>();
  readonly #slots = new Slots((run) => this.#end(run, { kind: "stopping" }, 0));
  #stations: Stations | undefined;
  #providers: ProviderScope | undefined;

  constructor(port: Port) {
    this.#port = port;
    this.#calls = new Calls(port, (job) => this.#runs.get(job));
  }

  take(request: Request): void {
    switch (request.type) {
      case "start":
        return void this.#start(request);
      case "run":
        return this.#run(request);
      case "abort":
        return this.#abort(
          request.run,
          new AbortedError(request.code as AbortedError["code"] & "LEASE_LOST", request.message),
        );
      case "recall":
        // What came last goes first, so that the front of the queue keeps its order.
        for (const run of this.#slots.empty(request.queue).toReversed()) this.#end(run, { kind: "stopping" }, 0);
        return;
      case "answer":
        return this.#calls.answer(request);
      case "ping":
        return this.#port.send({ type: "pong" });
      case "leave":
        return void this.#leave();
    }
  }

  async #start(start: IsolateStart): Promise<void> {
    this.#listenForFaults(start.isShared);
    try {
      const program = await loadProgram(start);
      this.#stations = await this.#createStations(start, program);
      if (this.#port.kind === "process") this.#tellMemory(start.isShared);
      this.#port.send({ type: "ready", tasks: program.tasks });
    } catch (error) {
      const problems =
        isTaskferryError(error) && "problems" in error ? (error.problems as readonly string[]) : [String(error)];
      this.#port.send({ type: "unfit", error: recordError(error), problems });
    }
  }

  async #createStations(start: IsolateStart, program: Program): Promise<Stations> {
    const { handlers, serializers, surroundings, overrides } = program;
    const send = this.#port.send;
    const logger = proxiedLogger(send);
    const providers = createProviderScope({ context: { worker: start.worker, log: logger }, overrides });
    this.#providers = providers;
    await providers.start(handlers.values(), ({ task }) => task.options.isolation === start.isolation);
    const contextParts = {
      logger,
      reportProgress: (id: string, value: number, note: string | undefined) =>
        send({ type: "progress", id, ...checkProgress(value, note) }),
      enqueueChild: this.#calls.enqueueChild(serializers, surroundings),
    };
    const executor = createLoopExecutor({
      serializers,
      createContext: (job) => new JobContext(job, contextParts),
      providers,
      wrap: undefined,
      timeoutGrace: 0,
      maxResultBytes: start.maxResultBytes ?? Number.POSITIVE_INFINITY,
      // Whoever asked for it may look at it.
      keepsResults: true,
      onAbandoned: () => undefined,
    });
    const loopDelay = watchLoopDelay(start.blockedAfter, (milliseconds) => {
      const tasks = new Set([...this.#jobs.values()].flatMap((job) => job?.message.task ?? []));
      send({ type: "blocked", milliseconds, tasks: [...tasks] });
    });
    const maxDeliveries = Number.POSITIVE_INFINITY;
    const groups = createGroupReader(this.#calls.results, serializers);
    const decoding = {
      handlers,
      serializers,
      maxBodyBytes: start.maxBodyBytes,
      maxDeliveries,
      // The worker has checked and opened what it hands over.
      ...{ protection: createProtection({}, undefined), queue: "", patience: 0, isWanted: () => true },
      policies: new Policies(),
      ...(start.hasResults && { readGroup: async (value: RawValue) => groups.read(value) }),
    };
    return { decoding, executor, loopDelay, surroundings, blockedAfter: start.blockedAfter };
  }

  async #leave(): Promise<void> {
    await this.#providers?.close();
    this.#port.exit(0);
  }

  #run(request: RunRequest): void {
    const stations = this.#stations;
    // The worker asks for nothing before it was told that this is ready.
    if (stations === undefined) return;
    const { run, slots, message } = request;
    this.#jobs.set(run, undefined);
    if (slots === 0) this.#begin(request, stations, undefined);
    else
      this.#slots.enter({
        run,
        slots,
        queue: message.queue,
        begin: (waited) => this.#begin(request, stations, waited),
      });
  }

  /** @param waited - milliseconds for a slot; `undefined`: it needed none. */
  #begin({ run, message, deliveryCount, captured }: RunRequest, stations: Stations, waited: number | undefined): void {
    const end = (ended: Ended): void => {
      this.#end(run, ended, waited ?? 0);
      if (waited !== undefined) this.#slots.leave(message.queue);
    };
    const delivery: Delivery = {
      message: withoutTimeout(message),
      deliveryCount,
      leaseUntil: undefined,
      token: undefined,
    };
    const decoded = decode(delivery, stations.decoding);
    const proceed = (job: Job | Unrunnable): void => {
      if (job instanceof Job) return this.#execute(run, job, { stations, captured, end });
      // Not at once: a thousand that cannot run would begin one another.
      queueMicrotask(() => end(job.ended));
    };
    if (decoded instanceof Promise) void decoded.then(proceed);
    else proceed(decoded);
  }

  #execute(run: number, job: Job, { stations, captured, end }: Beginning): void {
    const { executor, loopDelay, surroundings, blockedAfter } = stations;
    this.#jobs.set(run, job);
    this.#runs.set(job, run);
    const early = this.#early.get(run);
    if (early !== undefined) job.abort(early);
    const start = performance.now();
    const executing = execute((onEnd) => restore(surroundings, captured, () => executor.execute(job, onEnd)));
    const milliseconds = Math.round(performance.now() - start);
    if (milliseconds > blockedAfter) {
      // Nothing else can have run meanwhile: this one has blocked, whatever runs beside it.
      this.#port.send({ type: "blocked", milliseconds, tasks: [job.message.task] });
      loopDelay.forgive();
    }
    // What came while it blocked is heard before another begins in its slot: it may be a recall.
    void executing.then(milliseconds < longBlock ? end : (ended) => setImmediate(() => setImmediate(end, ended)));
  }

  #end(run: number, ended: Ended, waited: number): void {
    this.#jobs.delete(run);
    this.#early.delete(run);
    this.#port.send({ type: "ended", run, how: toEndedRecord(ended), waited });
  }

  #abort(run: number, reason: AbortedError): void {
    if (!this.#jobs.has(run)) return;
    if (this.#slots.withdraw(run)) return this.#end(run, { kind: "stopping" }, 0);
    const job = this.#jobs.get(run);
    if (job === undefined) this.#early.set(run, reason);
    else job.abort(reason);
  }

  /** A promise that was forgotten harms nobody else. An error that nobody caught may: its tasks are told apart only where one runs alone. */
  #listenForFaults(isShared: boolean): void {
    process.on("unhandledRejection", (error) => {
      this.#port.send({ type: "fault", kind: "rejection", error: recordError(error) });
    });
    if (!isShared && this.#port.kind === "thread") return;
    process.on("uncaughtException", (error) => {
      this.#port.send({ type: "fault", kind: "exception", error: recordError(error) });
      if (!isShared) this.#port.exit(1);
    });
  }

  #tellMemory(isShared: boolean): void {
    const lateness = isShared ? measureLateness() : undefined;
    const tell = (): void => {
      const late = lateness?.take();
      this.#port.send({ type: "memory", bytes: process.memoryUsage.rss(), ...(late !== undefined && { late }) });
    };
    tell();
    setInterval(tell, 1_000).unref();
  }
}

/** What surrounds a handler may throw as well: that is a failure of its task. */
function execute(run: (onEnd: OnEnd) => void): Promise<Ended> {
  return new Promise((resolve) => {
    try {
      run((_, ended) => resolve(ended));
    } catch (error) {
      resolve({ kind: "threw", error, isFinal: false });
    }
  });
}

/** The worker keeps the time, since it is never blocked. */
function withoutTimeout(message: Message): Message {
  if (message.policy?.timeout === undefined) return message;
  const { timeout: _, ...policy } = message.policy;
  return { ...message, policy };
}
