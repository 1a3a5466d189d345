import { silentLogger, type WorkerEvent } from "@taskferry/core";
import { openHistory } from "../../total-queue/history-writer.ts";
import type { WaitOptions } from "../../waiters.ts";
import { Waiters } from "../../waiters.ts";
import type { FaultScene } from "./fault-scene.ts";
import { createFaultWorker } from "./programs/fault-worker.ts";
import type { WorkerSettings } from "./programs/settings.ts";

/** A worker whose every event the test hears. */
export class HeardWorker {
  readonly events: WorkerEvent[] = [];
  readonly #waiters = new Waiters<WorkerEvent>();
  readonly #onEvent: (event: WorkerEvent) => void;
  #stop: () => Promise<void> = async () => undefined;
  #kill: () => Promise<unknown> = async () => undefined;
  #historyPath = "";

  private constructor(onEvent: (event: WorkerEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** The file of its history. */
  get historyPath(): string {
    return this.#historyPath;
  }

  /** In a process of its own; or in the test's, where one process holds it all. */
  static async start(
    scene: FaultScene,
    settings: Partial<WorkerSettings>,
    onEvent: (event: WorkerEvent) => void = () => undefined,
  ): Promise<HeardWorker> {
    const worker = new HeardWorker(onEvent);
    if (scene.subject.module === undefined) await worker.#startHere(scene, settings);
    else await worker.#startThere(scene, settings);
    return worker;
  }

  count(type: WorkerEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  /** Resolves once there have been so many events of a type. */
  async heard(type: WorkerEvent["type"], count: number, options: WaitOptions): Promise<void> {
    const isEnough = (): boolean => this.count(type) >= count;
    if (isEnough()) return;
    try {
      await this.#waiters.wait(`${count} times ${type}`, isEnough, options);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${reason} What came, and how often: ${JSON.stringify(this.#counts())}`, { cause });
    }
  }

  /** Resolves with the next event that fits. */
  next(what: string, fits: (event: WorkerEvent) => boolean, options: WaitOptions): Promise<WorkerEvent> {
    return this.#waiters.wait(what, fits, options);
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** By SIGKILL. What shares the test's process cannot be: it is stopped as by a second signal, and waits for no handler. */
  async kill(): Promise<void> {
    await this.#kill();
  }

  #counts(): Readonly<Record<string, number>> {
    const types = new Set(this.events.map(({ type }) => type));
    return Object.fromEntries([...types].map((type) => [type, this.count(type)]));
  }

  #hear(event: WorkerEvent): void {
    this.events.push(event);
    this.#onEvent(event);
    this.#waiters.announce(event);
  }

  async #startHere(scene: FaultScene, settings: Partial<WorkerSettings>): Promise<void> {
    const history = openHistory(scene.history, "worker");
    this.#historyPath = history.path;
    const worker = createFaultWorker(scene.workerSettings(settings), {
      configure: scene.subject.configure,
      history,
      logger: silentLogger,
      onExecuted: () => scene.executions.add(),
      onEvent: (event) => this.#hear(event),
    });
    const end = async (options: { readonly timeout?: number }): Promise<void> => {
      await worker.stop(options);
      history.close();
    };
    this.#stop = () => end({});
    this.#kill = () => end({ timeout: 0 });
    scene.defer(this.#stop);
    await worker.start();
  }

  async #startThere(scene: FaultScene, settings: Partial<WorkerSettings>): Promise<void> {
    const running = await scene.startWorker({ ...settings, tellsEvents: true });
    this.#historyPath = running.historyPath;
    this.#stop = () => scene.stopWorker(running);
    this.#kill = () => running.process.kill();
    const listen = async (): Promise<void> => {
      for (;;) {
        const [told] = await Promise.allSettled([running.process.waitFor("event")]);
        if (told.status === "rejected") return;
        this.#hear(told.value.event);
      }
    };
    void listen();
  }
}
