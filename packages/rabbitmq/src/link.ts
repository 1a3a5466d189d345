import { setTimeout as wait } from "node:timers/promises";
import { BrokerError, ClosedError, monotonicNow } from "@taskferry/core";
import type { ChannelModel } from "amqplib";
import { type Dialling, destroy, dial, letGo, onError } from "./driver.ts";
import { isFinal, toBrokerError } from "./faults.ts";

export interface LinkParts {
  /** Called with each new connection, before anybody else gets it. Rejecting gives the connection up. */
  readonly onUp?: (model: ChannelModel) => Promise<void> | void;
  /** Told of each new connection, once it is there for everybody. */
  readonly onChange?: (model: ChannelModel) => void;
  readonly onDown?: (error: Error | undefined) => void;
  readonly onBlocked?: (reason: string | undefined) => void;
  /** Told that the server refuses us for good while we reconnect. */
  readonly onRefused?: (error: Error) => void;
}

interface AnswerOptions {
  /** Whose answer it is. Default: the present one's. */
  readonly model?: ChannelModel | undefined;
  /** Milliseconds. Default: those of one call. */
  readonly timeout?: number;
}

const shortestPause = 50;
const longestPause = 2_000;
/** Milliseconds that a close may take before the connection is cut. */
const farewell = 1_000;

/** One connection that is opened, kept open through outages, and closed. */
export class Link {
  readonly dialling: Dialling;
  readonly #parts: LinkParts;
  #model: ChannelModel | undefined;
  #isOpen = false;
  #isBlocked = false;
  #lastError: Error | undefined;
  #waiters = new Set<() => void>();
  #redialling: Promise<void> | undefined;

  constructor(dialling: Dialling, parts: LinkParts) {
    this.dialling = dialling;
    this.#parts = parts;
  }

  get isUp(): boolean {
    return this.#model !== undefined;
  }

  /** Whether the server takes nothing from us for now. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Connects. Rejects when the server is not there at once, or refuses the credentials; later outages are waited out. */
  async open(): Promise<void> {
    this.#isOpen = true;
    try {
      await this.#connect();
    } catch (error) {
      this.#isOpen = false;
      throw toBrokerError(error, this.dialling.address);
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    const model = this.#model;
    this.#model = undefined;
    this.#wake();
    if (model !== undefined) await endKindly(model);
    await this.#redialling;
  }

  /** The connection; waited for until `deadline` where there is none. @throws BrokerError `BROKER_UNAVAILABLE`; ClosedError. */
  async up(deadline: number): Promise<ChannelModel> {
    for (;;) {
      if (!this.#isOpen) throw new ClosedError("The connection to RabbitMQ");
      if (this.#model !== undefined) return this.#model;
      if (this.#lastError !== undefined && isFinal(this.#lastError)) throw this.unavailable();
      const left = deadline - monotonicNow();
      if (left <= 0) throw this.unavailable();
      await this.#changed(left);
    }
  }

  unavailable(): Error {
    const { address } = this.dialling;
    return this.#lastError === undefined
      ? new BrokerError("BROKER_UNAVAILABLE", `RabbitMQ at ${address} cannot be reached for now.`)
      : toBrokerError(this.#lastError, address);
  }

  /** Gives up a connection that does not answer, the present one unless another is meant; a new one is made. */
  drop(reason: string, model = this.#model): void {
    if (model !== undefined) destroy(model, new Error(reason));
  }

  /** An answer that does not come means a dead connection, whatever its socket says. */
  async answer<T>(
    reply: Promise<T>,
    what: string,
    { model = this.#model, timeout = this.dialling.timeout }: AnswerOptions = {},
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.drop(`no answer to ${what} within ${timeout} ms`, model);
        reject(new Error(`no answer to ${what} within ${timeout} ms`));
      }, timeout);
    });
    try {
      return await Promise.race([reply, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(): Promise<void> {
    const model = await dial(this.dialling);
    let failure: Error | undefined;
    onError(model, (error) => {
      failure = error;
    });
    model.on("blocked", (reason) => this.#setBlocked(true, reason));
    model.on("unblocked", () => this.#setBlocked(false));
    model.on("close", (error?: Error) => {
      letGo(model);
      failure ??= error ?? new Error("the connection was closed");
      this.#onClose(model, failure);
    });
    if (!this.#isOpen) {
      await endKindly(model);
      return;
    }
    try {
      await this.#prepare(model);
    } catch (error) {
      destroy(model, new Error("given up"));
      throw error;
    }
    if (failure !== undefined) throw failure;
    if (!this.#isOpen) {
      await endKindly(model);
      return;
    }
    this.#model = model;
    this.#lastError = undefined;
    this.#wake();
    this.#parts.onChange?.(model);
  }

  /** A connection may end before anybody listens to it, or be one that never answers: it proves itself first. */
  async #prepare(model: ChannelModel): Promise<void> {
    const work = async (): Promise<void> => {
      const channel = await model.createChannel();
      onError(channel, () => undefined);
      await channel.close();
      await this.#parts.onUp?.(model);
    };
    await this.answer(work(), "a new connection", { model });
  }

  #onClose(model: ChannelModel, error: Error | undefined): void {
    if (model !== this.#model) return;
    this.#model = undefined;
    this.#lastError = error;
    if (this.#isBlocked) this.#setBlocked(false);
    this.#parts.onDown?.(error === undefined ? undefined : toBrokerError(error, this.dialling.address));
    this.#redialling ??= this.#redial().finally(() => {
      this.#redialling = undefined;
    });
  }

  async #redial(): Promise<void> {
    for (let pause = shortestPause; this.#isOpen; pause = Math.min(2 * pause, longestPause)) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        this.#lastError = error as Error;
        if (isFinal(error)) this.#parts.onRefused?.(toBrokerError(error, this.dialling.address));
        this.#wake();
      }
      await this.#changed(pause * (0.5 + Math.random() / 2), () => !this.#isOpen);
    }
  }

  #setBlocked(isBlocked: boolean, reason = ""): void {
    if (this.#isBlocked === isBlocked) return;
    this.#isBlocked = isBlocked;
    this.#parts.onBlocked?.(isBlocked ? reason : undefined);
    this.#wake();
  }

  /** Resolves at the next change, or after `limit` ms; with `matters`, at the next change for which it is true. */
  #changed(limit: number, matters: () => boolean = () => true): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        if (!matters()) return;
        end();
      };
      const end = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(end, Math.min(limit, 2 ** 31 - 1));
      this.#waiters.add(done);
    });
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

async function endKindly(model: ChannelModel): Promise<void> {
  const over = new AbortController();
  const patience = wait(farewell, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([model.close().catch(() => undefined), patience]);
  over.abort();
  destroy(model, new Error("closed"));
}
