import { setTimeout as wait } from "node:timers/promises";
import { type Client, createClient, isTaskferryError, jsonLogger, monotonicNow, type Outcome } from "@taskferry/core";
import { type HistoryWriter, openHistory } from "../../../total-queue/history-writer.ts";
import { type Load, type ProducerCommand, type ProducerMessage, spread } from "./messages.ts";
import { loadConfigure, type ProducerSettings, readSettings } from "./settings.ts";
import { failToStart } from "./start-failure.ts";
import { type Execution, work } from "./tasks.ts";

const tell = (message: ProducerMessage): void => void process.send?.(message);

/** What commands are carried out with. */
interface Stage {
  readonly client: Client;
  readonly history: HistoryWriter;
  readonly queue: string;
}

async function main(): Promise<void> {
  const settings = readSettings<ProducerSettings>();
  const { publishTimeout, startTimeout, queue, place } = settings;
  const configure = await loadConfigure(settings.module);
  const client = await createClient({ ...configure(place), logger: jsonLogger(), publishTimeout, startTimeout });
  const history = openHistory(settings.history, "producer");
  process.on("message", (command: ProducerCommand) => {
    obey(command, { client, history, queue }).catch(failToStart);
  });
  tell({ type: "ready" });
}

async function obey(command: ProducerCommand, stage: Stage): Promise<void> {
  switch (command.type) {
    case "enqueue":
      return produce(command, stage);
    case "await": {
      const outcome = stage.client.handle(work, command.id, { queue: stage.queue }).outcome();
      tell({ type: "waiting" });
      return tell({ type: "outcome", outcome: await outcome });
    }
    case "end":
      await stage.client.close();
      stage.history.close();
      return process.disconnect();
  }
}

async function produce(load: Load, stage: Stage): Promise<void> {
  const producer = new Producer(load, stage);
  await Promise.all(Array.from({ length: load.inFlight }, () => producer.run()));
  const { acknowledged, rejections, longest } = producer;
  tell({ type: "enqueued", acknowledged: acknowledged.length, rejections, longest });
  const { client, queue } = stage;
  const missing: string[] = [];
  const outcomeOf = async (id: string): Promise<readonly Outcome<Execution>[]> => {
    try {
      return [await client.handle(work, id, { queue }).outcome()];
    } catch (error) {
      if (!isTaskferryError(error, "RESULT_UNKNOWN")) throw error;
      missing.push(id);
      return [];
    }
  };
  const outcomes = await Promise.all(acknowledged.map(outcomeOf));
  tell({ type: "finished", outcomes: outcomes.flat(), missing });
}

/** Enqueues a load and keeps the books of it. */
class Producer {
  readonly acknowledged: string[] = [];
  readonly rejections: string[] = [];
  longest = 0;
  readonly #load: Load;
  readonly #stage: Stage;
  #next = 0;

  constructor(load: Load, stage: Stage) {
    this.#load = load;
    this.#stage = stage;
  }

  /** Takes its share of the load, one call after the other. */
  async run(): Promise<void> {
    const { count, prefix, pause } = this.#load;
    while (this.#next < count) {
      const index = this.#next;
      this.#next += 1;
      await this.#enqueue(`${prefix}-${index}`, index);
      if (pause > 0) await wait(pause);
    }
  }

  async #enqueue(id: string, index: number): Promise<void> {
    const { milliseconds, delays } = this.#load;
    const options = { id, ...(delays !== undefined && { delay: spread(delays, index) }) };
    const { client, history, queue } = this.#stage;
    history.record("attempted", id);
    for (;;) {
      const since = monotonicNow();
      try {
        await client.enqueue(work, spread(milliseconds, index), { ...options, queue });
        history.record("acknowledged", id);
        this.acknowledged.push(id);
        return;
      } catch (error) {
        if (!isTaskferryError(error, "BROKER_UNAVAILABLE")) throw error;
        history.record("unknown", id);
        this.rejections.push(error.code);
        if (!this.#load.isStubborn) return;
      } finally {
        this.longest = Math.max(this.longest, monotonicNow() - since);
      }
    }
  }
}

main().catch(failToStart);
