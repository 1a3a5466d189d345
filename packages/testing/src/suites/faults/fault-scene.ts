import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type BrokerCapabilities,
  type Client,
  type Connections,
  createClient,
  type QueueDepth,
  resolveConnections,
} from "@taskferry/core";
import { expect, onTestFailed, onTestFinished } from "vitest";
import { createFaultProxy } from "../../fault-proxy/create-fault-proxy.ts";
import type { FaultProxy } from "../../fault-proxy/fault-proxy.ts";
import type { PrivateServer } from "../../servers/private-server.ts";
import { type LogSource, showLogsOnFailure } from "../../servers/show-logs.ts";
import { checkHistory, reportVerdict } from "../../total-queue/check-history.ts";
import type { Verdict } from "../../total-queue/verdict.ts";
import { eventually, within } from "../patience.ts";
import type { Scene } from "../rulebook.ts";
import { Executions } from "./executions.ts";
import type { FaultSubject } from "./fault-needs.ts";
import type { FaultPlace } from "./fault-place.ts";
import type { FaultScale } from "./fault-scale.ts";
import { inFlightBetween, publishedBetween } from "./in-flight.ts";
import type { Load, LoadReport } from "./programs/messages.ts";
import type { ProducerSettings, WorkerSettings } from "./programs/settings.ts";
import {
  command,
  type ProducerProcess,
  type SchedulerProcess,
  spawnProducer,
  spawnScheduler,
  spawnWorker,
  type WorkerProcess,
} from "./programs.ts";

/** Milliseconds for a program to start, on a machine that has other things to do. */
export const startLimit = 30_000;

/** Milliseconds for which a program tries to reach a server that is there. */
const reachLimit = 20_000;

const sections = ["ready", "delayed", "running", "dead"] as const;

const defaultLoad: Omit<Load, "prefix" | "count"> = {
  inFlight: 10,
  milliseconds: [5, 20],
  pause: 0,
  isStubborn: true,
};

interface SceneParts {
  readonly directory: string;
  readonly server: PrivateServer | undefined;
  readonly proxy: FaultProxy | undefined;
  readonly connections: Connections;
}

/** A running worker and the file of its history. */
export interface RunningWorker {
  readonly process: WorkerProcess;
  readonly historyPath: string;
}

/** One place of its own, and the processes that play there. */
export class FaultScene implements Scene {
  readonly subject: FaultSubject;
  readonly scale: FaultScale;
  readonly connections: Connections;
  readonly queue = "faults";
  readonly executions = new Executions();
  readonly #parts: SceneParts;
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  #shared: Promise<Client> | undefined;

  constructor(subject: FaultSubject, scale: FaultScale, parts: SceneParts) {
    this.subject = subject;
    this.scale = scale;
    this.connections = parts.connections;
    this.#parts = parts;
  }

  static async open(subject: FaultSubject, scale: FaultScale): Promise<FaultScene> {
    const directory = await mkdtemp(join(tmpdir(), "taskferry-faults-"));
    removeAfterTest(directory, { keepsFailures: subject.module !== undefined });
    const server = await subject.startServer?.();
    const proxy = server && (await createFaultProxy(server));
    const connections = await resolveConnections(subject.configure(placeOf(directory, server?.url)));
    const scene = new FaultScene(subject, scale, { directory, server, proxy, connections });
    if (server !== undefined) scene.#watch(server);
    scene.defer(async () => {
      await proxy?.[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
    });
    return scene;
  }

  get capabilities(): BrokerCapabilities {
    return this.connections.broker.capabilities;
  }

  get server(): PrivateServer {
    if (this.#parts.server === undefined) throw new Error("Expected the rule to need a server.");
    return this.#parts.server;
  }

  get proxy(): FaultProxy {
    if (this.#parts.proxy === undefined) throw new Error("Expected the rule to need a server.");
    return this.#parts.proxy;
  }

  /** The directory of the history. */
  get history(): string {
    return join(this.#parts.directory, "history");
  }

  /** As the test itself gets there, by no proxy. */
  get place(): FaultPlace {
    return placeOf(this.#parts.directory, this.#parts.server?.url);
  }

  /** For a wait that should not take long, whatever else the machine does. */
  get patience(): { readonly timeout: number } {
    return { timeout: this.scale.patience };
  }

  /** Runs when the test is over, last deferred first. */
  defer(cleanup: () => Promise<unknown>): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const cleanup of this.#cleanups.toReversed()) {
      await cleanup().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  workerSettings(settings: Partial<WorkerSettings> = {}): WorkerSettings {
    return {
      ...this.#programSettings(),
      concurrency: 20,
      lease: 3_000,
      maxDeliveries: 10,
      maxBodyBytes: 1024 * 1024,
      tellsEvents: false,
      ...settings,
    };
  }

  producerSettings(settings: Partial<ProducerSettings> = {}): ProducerSettings {
    return { ...this.#programSettings(), publishTimeout: 30_000, ...settings };
  }

  async startWorker(settings?: Partial<WorkerSettings>): Promise<RunningWorker> {
    const all = this.workerSettings(settings);
    const process = await spawnWorker(all);
    this.adopt(process);
    const { historyPath } = await process.waitFor("ready", { timeout: startLimit + all.startTimeout });
    void this.#countExecutions(process);
    return { process, historyPath };
  }

  async startProducer(settings?: Partial<ProducerSettings>): Promise<ProducerProcess> {
    const all = this.producerSettings(settings);
    const producer = await spawnProducer(all);
    this.adopt(producer);
    await producer.waitFor("ready", { timeout: startLimit + all.startTimeout });
    return producer;
  }

  async startScheduler(): Promise<SchedulerProcess> {
    const scheduler = await spawnScheduler(this.#programSettings());
    this.adopt(scheduler);
    await scheduler.waitFor("ready", { timeout: startLimit + reachLimit });
    return scheduler;
  }

  /** Ends a program with the test, and shows its output when that fails. */
  adopt(program: LogSource & AsyncDisposable): void {
    this.#watch(program);
    this.defer(async () => program[Symbol.asyncDispose]());
  }

  /** One client for all that the test does at once. */
  sharedClient(): Promise<Client> {
    this.#shared ??= this.client();
    return this.#shared;
  }

  /** A client of the test itself. */
  async client(): Promise<Client> {
    const client = await createClient(this.subject.configure(this.place));
    this.defer(() => client.close());
    return client;
  }

  /** Has a producer enqueue a load. `finished` resolves when all of it has an outcome. */
  produce(producer: ProducerProcess, load: Pick<Load, "prefix" | "count"> & Partial<Load>) {
    const limit = this.patience;
    command(producer, { type: "enqueue", ...defaultLoad, ...load });
    const enqueued = producer.waitFor("enqueued", limit);
    const finished = producer.waitFor("finished", limit).then(expectNoneMissing, (error) => this.#explain(error));
    for (const promise of [enqueued, finished]) promise.catch(() => undefined);
    return { enqueued, finished };
  }

  /** Waits until nothing waits, runs or is delayed any more; what is settled last may be so after its outcome is known. */
  async expectDepth(depth: { readonly dead: number }): Promise<void> {
    if (this.capabilities.inspection === "refused") return;
    const { queues } = await this.client();
    const expected = { ready: 0, delayed: 0, running: 0, ...depth };
    const isExpected = (found: QueueDepth): boolean =>
      sections.every((section) => found[section] === undefined || found[section] === expected[section]);
    await eventually(() => queues.depth(this.queue), isExpected, 8_000);
  }

  /**
   * What may be executed again after what happened between two moments: tasks that ran, and tasks that were enqueued just
   * then where the broker recognises no second copy.
   */
  async repeatable(span: { readonly since: number; readonly until: number }): Promise<readonly string[]> {
    const running = await inFlightBetween(this.history, span);
    const published = this.capabilities.dedupe === "refused" ? await publishedBetween(this.history, span) : [];
    return [...running, ...published];
  }

  /** Stops a worker as an operator would, and expects it to end well. */
  async stopWorker({ process }: RunningWorker): Promise<void> {
    expect(await process.stop(), "how the worker ended").toEqual({ code: 0, signal: null });
  }

  /** Has a producer close all that it has open, and expects it to end by that. */
  async endProducer(producer: ProducerProcess): Promise<void> {
    command(producer, { type: "end" });
    const exit = await within(producer.exited, startLimit, "the end of a producer that closed its client");
    expect(exit, "how the producer ended").toEqual({ code: 0, signal: null });
  }

  /** Prints figures alone, where somebody waits for them. */
  tellFigures(figures: Readonly<Record<string, number>>): void {
    if (!this.scale.isReported) return;
    const lines = Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value)}`);
    process.stdout.write(`${lines.join("\n")}\n`);
  }

  /** Prints what a run came to, where somebody waits for the figures. */
  report(verdict: Verdict, figures: Readonly<Record<string, number>> = {}): void {
    if (!this.scale.isReported) return;
    const more = Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value)}`);
    process.stdout.write(`${[reportVerdict(verdict), ...more].join("\n")}\n`);
  }

  #programSettings() {
    return {
      module: this.subject.module?.href ?? "",
      place: placeOf(this.#parts.directory, this.#parts.proxy?.url),
      history: this.history,
      queue: this.queue,
      startTimeout: reachLimit,
    };
  }

  /** What the history says of tasks whose end was waited for in vain. */
  async #explain(cause: unknown): Promise<never> {
    const verdict = reportVerdict(await checkHistory(this.history));
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${verdict}`, { cause });
  }

  #watch(source: LogSource): void {
    showLogsOnFailure({ onTestFailed }, source);
  }

  async #countExecutions(process: WorkerProcess): Promise<void> {
    for (;;) {
      const [message] = await Promise.allSettled([process.waitFor("executed")]);
      if (message.status === "rejected") return;
      this.executions.add();
    }
  }
}

function expectNoneMissing(report: LoadReport): LoadReport {
  expect(report.missing, "tasks that were acknowledged and of which there is no trace").toEqual([]);
  return report;
}

function placeOf(directory: string, url: string | undefined): FaultPlace {
  return { directory, ...(url !== undefined && { url }) };
}

/** The history of processes that failed is worth reading. */
function removeAfterTest(directory: string, { keepsFailures }: { readonly keepsFailures: boolean }): void {
  onTestFinished(async ({ task }) => {
    if (keepsFailures && task.result?.state === "fail") return;
    await rm(directory, { recursive: true, force: true });
  });
}
