import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { WorkerConfig } from "../../config.ts";
import { ConfigurationError } from "../../errors.ts";
import type { Emitter, WorkerEvent } from "../../events.ts";
import { type HandledTask, type Handler, isHandler } from "../../handler.ts";
import type { LoadModule } from "../../load-module.ts";
import type { Logger } from "../../logger.ts";
import { collectProviders } from "../../provider-graph.ts";
import { capture, findSurroundings } from "../../surroundings.ts";
import type { Isolation } from "../../task-options.ts";
import type { Executor } from "../executor.ts";
import { byIsolation } from "../executors/by-isolation.ts";
import { createRemoteExecutor, type RemoteExecutorParts } from "../executors/remote.ts";
import { loadHandlers } from "../load-handlers.ts";
import type { WorkerSettings } from "../settings.ts";
import type { CallParts } from "./answer-call.ts";
import { elsewhere } from "./elsewhere.ts";
import { Home } from "./home.ts";
import type { SpawnIsolate } from "./isolate.ts";
import { Pool } from "./pool.ts";
import type { IsolateStart } from "./protocol.ts";
import { createReporter, type IsolationReporter } from "./reporter.ts";
import type { Site } from "./site.ts";
import { processes } from "./spawn-process.ts";
import { threads } from "./spawn-thread.ts";

export interface CrewParts {
  readonly config: WorkerConfig & {
    readonly loadModule?: LoadModule;
    readonly loader?: string | URL;
  };
  readonly worker: string;
  readonly settings: WorkerSettings;
  readonly root: string;
  /** Bytes of an input, and of a result, as they are handed over. */
  readonly maxBodyBytes: number;
  readonly maxResultBytes: number;
  readonly hasResults: boolean;
  readonly logger: Logger;
  readonly emitter: Emitter<WorkerEvent>;
  /** Told when the process for handlers cannot be started any more. */
  readonly onHopeless: (error: unknown) => void;
}

export interface CrewServices extends CallParts {
  readonly reportProgress: (id: string, value: number, note: string | undefined) => void;
}

/** Milliseconds of a blocked event loop, at most, that are worth a warning. */
const longestBlock = 1_000;

/** The handlers of a worker, and the threads and processes they run in. */
export class Crew {
  handlers: ReadonlyMap<string, Handler> = new Map();
  /** What handlers elsewhere need of the connections: set once there are any. */
  services: Omit<CrewServices, "surroundings"> | undefined;
  readonly #parts: CrewParts;
  readonly #reporter: IsolationReporter;
  readonly #start: Omit<IsolateStart, "isolation" | "isShared">;
  readonly #surroundings: ReturnType<typeof findSurroundings>;
  readonly #sites: Partial<Record<Isolation, Site>> = {};
  #home: Home | undefined;

  constructor(parts: CrewParts) {
    const { config, worker, settings, root, maxBodyBytes, maxResultBytes, hasResults, logger, emitter } = parts;
    this.#parts = parts;
    this.#reporter = createReporter({
      logger,
      emitter,
      reportProgress: (...report) => this.services?.reportProgress(...report),
    });
    this.#surroundings = findSurroundings(config.middlewares ?? []);
    this.#start = {
      type: "start",
      worker,
      modules: (config.handlers ?? []).filter((source) => !isHandler(source)).map(String),
      root,
      loader: config.loader === undefined ? undefined : String(config.loader),
      config: configModule(config, root),
      surroundings: this.#surroundings.map(({ name, module }) => ({ name, module })),
      maxBodyBytes,
      maxResultBytes: Number.isFinite(maxResultBytes) ? maxResultBytes : undefined,
      hasResults,
      blockedAfter: Math.min(longestBlock, Math.ceil(settings.lease / 3)),
    };
  }

  /**
   * Whether all handlers share a process apart, which keeps their slots. What was acknowledged before it runs must not
   * wait there.
   */
  get keepsSlots(): boolean {
    const options = [...this.handlers.values()].map(({ task }) => task.options);
    return (
      this.#home !== undefined &&
      options.every(({ isolation, acknowledge }) => isolation === "loop" && acknowledge !== "received")
    );
  }

  /** Bytes that child processes hold. */
  get memory(): number {
    return Object.values(this.#sites).reduce((sum, { memory }) => sum + memory, 0);
  }

  /** Milliseconds by which an event loop apart, which many handlers share, was late at most since it was asked before. */
  takeLateness(): number {
    return this.#home?.takeLateness() ?? 0;
  }

  /** Finds the handlers, and says where each runs. */
  async assemble(): Promise<void> {
    const { config, settings, root } = this.#parts;
    const isApart = settings.isolation.loop === "apart";
    const tasks = isApart ? await this.#openHome() : undefined;
    const found = tasks === undefined ? await loadHandlers({ ...config, root }, config.loadModule) : [];
    collectProviders(
      found.map(({ handler }) => handler),
      new Map(config.overrides?.map(({ provider, value }) => [provider, value])),
    );
    const apart = found.filter(({ handler }) => handler.task.options.isolation !== "loop");
    this.#checkSources(
      isApart ? [] : apart.filter(({ source }) => source === undefined).map(({ handler }) => handler.task.name),
    );
    if (tasks !== undefined || apart.length > 0) this.#checkShared();
    this.handlers = new Map([
      ...found.map(
        ({ handler }) =>
          [
            handler.task.name,
            apart.some((other) => other.handler === handler) ? elsewhere(handler.task) : handler,
          ] as const,
      ),
      ...(tasks ?? []).map((task) => [task.name, elsewhere(task)] as const),
    ]);
    this.#openPools();
  }

  /** An executor that runs each task where it belongs: `loop` for what runs here, and nothing but that where all does. */
  executor(loop: Executor, parts: Omit<RemoteExecutorParts, "site" | "capture">): Executor {
    const { loop: home, thread, process } = this.#sites;
    if (home === undefined && thread === undefined && process === undefined) return loop;
    const remote = (site: Site | undefined): Executor =>
      site === undefined ? loop : createRemoteExecutor({ ...parts, site, capture: () => capture(this.#surroundings) });
    return byIsolation({ loop: remote(home), thread: remote(thread), process: remote(process) });
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#sites).map((site) => site.close()));
  }

  async #openHome(): Promise<readonly HandledTask[]> {
    const { config, settings, root, onHopeless } = this.#parts;
    const values = (config.handlers ?? []).filter(isHandler);
    this.#checkSources(values.map(({ task }) => task.name));
    const home = new Home({
      spawn: processes(undefined),
      start: { ...this.#start, isolation: "loop", isShared: true },
      reporter: this.#reporter,
      calls: () => this.#services(),
      maxCrashes: settings.maxDeliveries,
      onHopeless,
    });
    this.#home = home;
    this.#sites.loop = home;
    const tasks = await home.start();
    const wrapsExecution = (config.middlewares ?? []).some(({ execute }) => execute !== undefined);
    // Functions of options, and the input that middlewares see, are to be had only of the definitions themselves.
    if (wrapsExecution || tasks.some(({ isPartial }) => isPartial))
      return (await loadHandlers({ ...config, root }, config.loadModule)).map(({ handler }) => handler.task);
    return tasks.map(({ name, options }) => ({ name, options, input: undefined, output: undefined }));
  }

  #openPools(): void {
    const { threads: threadCount, processes: processCount, maxMemory, maxTasks } = this.#parts.settings.isolation;
    const needed = new Set([...this.handlers.values()].map(({ task }) => task.options.isolation));
    const open = (isolation: Isolation, spawn: SpawnIsolate, size: number): Pool =>
      new Pool({
        start: { ...this.#start, isolation, isShared: false },
        spawn,
        size,
        reporter: this.#reporter,
        calls: () => this.#services(),
        maxTasks,
      });
    if (needed.has("thread")) this.#sites.thread = open("thread", threads(maxMemory), threadCount);
    if (needed.has("process")) this.#sites.process = open("process", processes(maxMemory), processCount);
  }

  #services(): CrewServices {
    if (this.services === undefined) throw new Error("A handler ran before there were connections.");
    return { ...this.services, surroundings: this.#surroundings };
  }

  #checkSources(names: readonly string[]): void {
    if (names.length === 0) return;
    throw new ConfigurationError(
      "ISOLATION_NEEDS_MODULE",
      names.map(
        (name) =>
          `handlers: expected the handler of ${name} to be named by its module, since it runs in another thread or process, which loads it for itself; got a value. Put it into a module and name that: handlers: ["./handlers.js"].`,
      ),
    );
  }

  /** What threads and processes need of the configuration cannot be sent to them: they load it. */
  #checkShared(): void {
    const { config } = this.#parts;
    if (!isConfigNeeded(config) || this.#start.config !== undefined) return;
    throw new ConfigurationError(
      "ISOLATION_NEEDS_MODULE",
      `isolation.config: expected the module whose default export is this configuration, since threads and processes take its ${(config.overrides ?? []).length > 0 ? "overrides" : "serializers"} from there; got none.`,
    );
  }
}

/** Loaded there only where it is needed: a configuration may do more than to configure. */
function configModule(config: WorkerConfig, root: string): string | undefined {
  if (config.isolation?.config === undefined || !isConfigNeeded(config)) return undefined;
  const module = String(config.isolation.config);
  if (/^(?:file|data|node):/.test(module)) return module;
  return pathToFileURL(isAbsolute(module) ? module : resolve(root, module)).href;
}

function isConfigNeeded({ serializer, serializers = [], overrides = [] }: WorkerConfig): boolean {
  return serializer !== undefined || serializers.length > 0 || overrides.length > 0;
}
