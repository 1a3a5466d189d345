import { setTimeout as wait } from "node:timers/promises";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { ClosedError, monotonicNow, parseDuration, type TaskferryError } from "@taskferry/core";
import { addressOf, Backoff, closeNatsConnection, createNatsConnection, longestPauseAfter } from "./driver.ts";
import { Exchange, type Replies, type Request } from "./exchange.ts";
import { denied, isDenied, unavailable } from "./faults.ts";
import type { NatsConnectionOptions } from "./options.ts";
import { Pulse } from "./pulse.ts";
import { within } from "./within.ts";

export interface ConnectionParts {
  readonly onConnected?: () => void;
  readonly onDisconnected?: (error: Error | undefined) => void;
}

/** Milliseconds between looks whether a connection is alive on which nothing is asked. */
const slowestPulse = 1_000;
const lastWord = 300;
/** Milliseconds that others may take to notice that the server is back, beside their pauses between attempts. */
const slowestNotice = 1_000;

/** One connection to NATS that is opened, kept open through outages, and closed. */
export class Connection {
  readonly address: string;
  /** Milliseconds for one call. */
  readonly timeout: number;
  readonly pulse: Pulse;
  readonly #options: NatsConnectionOptions;
  readonly #parts: ConnectionParts;
  #driver: NatsConnection | undefined;
  #exchange: Exchange | undefined;
  #isConnected = false;
  readonly #backoff = new Backoff();
  #denied: Error | undefined;
  #waiting: (() => void)[] = [];
  /** Counts connections made: what was asked on an earlier one is not answered any more. */
  #epoch = 0;
  #serverId: string | undefined;
  #restartedAt = Number.NEGATIVE_INFINITY;
  #lostAt = Number.NEGATIVE_INFINITY;
  #restsUntil = Number.NEGATIVE_INFINITY;

  constructor(options: NatsConnectionOptions, parts: ConnectionParts = {}) {
    this.#options = options;
    this.#parts = parts;
    this.address = addressOf(options);
    this.timeout = parseDuration(options.commandTimeout ?? "5s", "commandTimeout");
    this.pulse = new Pulse(this.timeout);
    this.pulse.keep(this, slowestPulse);
  }

  /** @throws ClosedError before `open` and after `close`. */
  get driver(): NatsConnection {
    if (this.#driver === undefined) throw new ClosedError("The connection to NATS");
    return this.#driver;
  }

  get isOpen(): boolean {
    return this.#driver !== undefined;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether the server belongs to no cluster, so that all of a stream is in it. */
  get isAlone(): boolean {
    return this.#driver?.info?.cluster === undefined;
  }

  /** When this connection found another server than before, or the same one started anew: wall-clock epoch milliseconds. */
  get restartedAt(): number {
    // The driver may deliver from the new server before it tells that it has reconnected.
    this.#noteServer();
    return this.#restartedAt;
  }

  /**
   * Until when others may not know yet that the server was started anew, by `monotonicNow()`. It has forgotten what it
   * delivered just before it was killed: who takes it now runs what another still runs, and is about to store.
   */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  get inboxPrefix(): string | undefined {
    return this.#options.options?.inboxPrefix;
  }

  /** Connects. Rejects when the server is not there at once, or refuses the credentials; later outages are waited out. */
  async open(): Promise<void> {
    const driver = await this.#connect();
    this.#driver = driver;
    this.#denied = undefined;
    this.#exchange = new Exchange(driver, this.inboxPrefix);
    void this.#watch(driver);
    this.#connected(driver);
  }

  async close(): Promise<void> {
    const driver = this.#driver;
    const wasConnected = this.#isConnected;
    this.#driver = undefined;
    this.#isConnected = false;
    this.pulse.stop();
    this.#exchange?.close();
    this.#wakeAll();
    if (driver === undefined) return;
    // What was said last, such as that something is handed back, is on its way before the connection ends.
    if (wasConnected) await within(driver.flush(), lastWord);
    if (this.#options.connection === undefined) await closeNatsConnection(driver);
  }

  /** Resolves to whether there is a connection within `limit` milliseconds. */
  async whenConnected(limit: number): Promise<boolean> {
    const end = monotonicNow() + limit;
    while (this.isOpen && !this.#isConnected && this.#denied === undefined) {
      const left = end - monotonicNow();
      if (left <= 0) return false;
      await this.#changed(left);
    }
    if (!this.isOpen) throw new ClosedError("The connection to NATS");
    if (!this.#isConnected && this.#denied !== undefined) throw denied(this.#denied, this.address);
    return this.#isConnected;
  }

  /** Sends once what a connection that is there takes. @throws BrokerError when there is none, or nothing is allowed. */
  async ask(requests: readonly Request[], limit: number): Promise<Replies> {
    if (!this.#isConnected || this.#exchange === undefined) throw this.unavailable("there is no connection");
    const answered = await this.#exchange.ask(requests, Math.min(limit, this.timeout));
    if (!this.isOpen) throw new ClosedError("The connection to NATS");
    if (answered.denied !== undefined) throw denied(answered.denied, this.address);
    return answered;
  }

  /** Sends an idempotent request, again and again through outages, until it is answered or `limit` milliseconds are over. */
  async request(request: Request, limit: number = this.timeout): Promise<Msg> {
    const deadline = monotonicNow() + limit;
    for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
      if (await this.whenConnected(deadline - monotonicNow())) {
        // What one server of a cluster does not answer, another may.
        const attempt = Math.min(deadline - monotonicNow(), Math.max(500, limit / 3));
        const { replies } = await this.ask([request], Math.max(1, attempt));
        const [reply] = replies;
        if (reply !== undefined && !hasNoResponders(reply)) return reply;
      }
      const left = deadline - monotonicNow();
      if (left <= 0) throw this.unavailable(`no answer within ${Math.round(limit)} ms`);
      await wait(Math.min(left, pause * (0.5 + Math.random() / 2)));
    }
  }

  /** Gives up a connection that does not answer; the driver connects anew by itself. */
  reconnect(): void {
    this.#driver?.reconnect().catch(() => undefined);
  }

  unavailable(text: string): TaskferryError {
    return unavailable(this.address, text);
  }

  async #connect(): Promise<NatsConnection> {
    const { connection } = this.#options;
    if (connection !== undefined) {
      if (connection.isClosed()) throw this.unavailable("the connection that was given is closed");
      return connection;
    }
    try {
      return await createNatsConnection(this.#options, Math.max(this.timeout, 1_000), this.#backoff);
    } catch (error) {
      const fault = error instanceof Error ? error : new Error(String(error));
      throw isDenied(fault) ? denied(fault, this.address) : this.unavailable(fault.message);
    }
  }

  async #watch(driver: NatsConnection): Promise<void> {
    let lastError: Error | undefined;
    for await (const status of driver.status()) {
      if (driver !== this.#driver) return;
      if (status.type === "disconnect") {
        this.#disconnected(lastError);
      } else if (status.type === "reconnect") {
        lastError = undefined;
        this.#connected(driver);
      } else if (status.type === "error") {
        lastError = status.error;
        this.#hearError(status.error);
      } else if (status.type === "close") {
        this.#disconnected(lastError);
        this.#denied ??= lastError ?? new Error("the connection was closed");
        this.#wakeAll();
      }
    }
  }

  #hearError(error: Error): void {
    if ("operation" in error && "subject" in error) {
      if (error.operation === "publish") this.#exchange?.deny(String(error.subject), error);
    } else if (isDenied(error)) {
      this.#denied = error;
      this.#wakeAll();
    }
  }

  #connected(driver: NatsConnection): void {
    this.#isConnected = true;
    this.#backoff.reset();
    this.#denied = undefined;
    this.#epoch += 1;
    this.#noteServer();
    this.pulse.start(driver);
    this.#wakeAll();
    this.#parts.onConnected?.();
  }

  #noteServer(): void {
    const serverId = this.#driver?.info?.server_id;
    if (serverId === undefined || serverId === this.#serverId) return;
    if (this.#serverId !== undefined) {
      this.#restartedAt = Date.now();
      const now = monotonicNow();
      if (this.isAlone) this.#restsUntil = now + longestPauseAfter(now - this.#lostAt) + slowestNotice;
    }
    this.#serverId = serverId;
  }

  #disconnected(error: Error | undefined): void {
    const was = this.#isConnected;
    if (was) this.#lostAt = monotonicNow();
    this.#isConnected = false;
    this.pulse.stop();
    this.#exchange?.breakOff();
    this.#wakeAll();
    if (was) this.#parts.onDisconnected?.(error === undefined ? undefined : this.unavailable(error.message));
  }

  #changed(limit: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limit);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** Whether nobody listens to the subject that was asked: no stream, no consumer, or none that leads right now. */
export function hasNoResponders(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}
