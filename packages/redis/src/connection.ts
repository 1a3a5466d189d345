import { setTimeout as wait } from "node:timers/promises";
import { ClosedError, monotonicNow, parseDuration } from "@taskferry/core";
import { addressOf, type Client, createRedisClient, firstReady, isCluster, type Role } from "./driver.ts";
import { classify, toBrokerError, wasNotDone } from "./faults.ts";
import type { RedisConnectionOptions } from "./options.ts";
import { callScript, defineScripts, type Script, type ScriptCall } from "./script.ts";

export interface ConnectionParts {
  readonly role: Role;
  readonly scripts?: readonly Script[];
  readonly onConnected?: () => void;
  readonly onDisconnected?: (error: Error | undefined) => void;
}

/** Milliseconds between two questions to a server that is asked nothing else: a dead connection is found out by them. */
const probeInterval = 10_000;

/** One connection to Redis that is opened, kept open through outages, and closed. */
export class Connection {
  readonly address: string;
  /** Milliseconds for one command. */
  readonly timeout: number;
  readonly #options: RedisConnectionOptions;
  readonly #parts: ConnectionParts;
  #client: Client | undefined;
  #isReady = false;
  #prober: NodeJS.Timeout | undefined;
  #lastError: Error | undefined;

  constructor(options: RedisConnectionOptions, parts: ConnectionParts) {
    this.#options = options;
    this.#parts = parts;
    this.address = addressOf(options);
    this.timeout = parseDuration(options.commandTimeout ?? "5s", "commandTimeout");
  }

  /** @throws ClosedError before `open` and after `close`. */
  get client(): Client {
    if (this.#client === undefined) throw new ClosedError("The connection to Redis");
    return this.#client;
  }

  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  get isCluster(): boolean {
    return this.#client !== undefined && isCluster(this.#client);
  }

  /** Connects. Rejects when the server is not there at once, or refuses the credentials; later outages are waited out. */
  async open(): Promise<void> {
    const client = createRedisClient(this.#options, this.#parts.role, this.timeout);
    this.#client = client;
    this.#listen(client);
    defineScripts(client, this.#parts.scripts ?? []);
    try {
      await firstReady(client, () => this.#lastError, this.timeout);
      this.#probeNowAndThen(client);
    } catch (error) {
      // By now another attempt may have opened anew: this one ends what is its own.
      if (this.#client === client) this.close();
      else client.disconnect();
      throw toBrokerError(error, this.address);
    }
  }

  close(): void {
    const client = this.#client;
    this.#client = undefined;
    clearInterval(this.#prober);
    client?.disconnect();
  }

  /** Gives up a connection that does not answer; the client connects anew by itself. */
  reconnect(): void {
    const client = this.#client;
    if (client === undefined) return;
    for (const connection of isCluster(client) ? client.nodes() : [client]) connection.disconnect(true);
  }

  /**
   * Sends an idempotent command, again and again through outages, until it is answered or `limit` milliseconds are over.
   *
   * @throws BrokerError `BROKER_UNAVAILABLE`, `BROKER_FULL`; ClosedError.
   */
  call<T>(command: (client: Client) => Promise<unknown>, limit: number = this.timeout): Promise<T> {
    return this.#repeat(command, limit, () => true);
  }

  /** {@link call} of a script. */
  run<T>(script: Script, { limit, ...call }: ScriptCall & { readonly limit?: number }): Promise<T> {
    return this.call((client) => callScript(client, script, call), limit);
  }

  /** {@link run} of a script that must not be run twice: when its reply is lost, the caller is told so. */
  runOnce<T>(script: Script, { limit = this.timeout, ...call }: ScriptCall & { readonly limit?: number }): Promise<T> {
    return this.#repeat((client) => callScript(client, script, call), limit, wasNotDone);
  }

  async #repeat<T>(
    command: (client: Client) => Promise<unknown>,
    limit: number,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> {
    const deadline = monotonicNow() + limit;
    let isUnanswered = false;
    for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
      try {
        return (await this.#withTimeout(command(this.client), deadline)) as T;
      } catch (error) {
        if (!this.isOpen) throw new ClosedError("The connection to Redis");
        isUnanswered ||= !wasNotDone(error);
        if (classify(this.#lastError) === "denied") throw toBrokerError(this.#lastError, this.address);
        const left = deadline - monotonicNow();
        if (classify(error) === "passing" && mayRepeat(error) && left > pause) {
          await wait(pause * (0.5 + Math.random() / 2));
          continue;
        }
        if (classify(error) === "passing" && mayRepeat(error)) await wait(Math.max(0, left));
        throw toBrokerError(error, this.address, isUnanswered);
      }
    }
  }

  /** A reply that does not come means a dead connection, whatever its socket says. */
  async #withTimeout(reply: Promise<unknown>, deadline: number): Promise<unknown> {
    const limit = Math.max(1, Math.min(this.timeout, deadline - monotonicNow()));
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = (): void => {
        if (isOver) return;
        // Some of a call's time has passed before it gets here; a caller in a hurry proves nothing.
        if (limit >= 0.9 * this.timeout) this.reconnect();
        reject(new Error(`no reply within ${Math.round(limit)} ms`));
      };
      // After a blocked event loop timers come first: the reply may be there, unread.
      timer = setTimeout(() => setImmediate(giveUp), limit);
    });
    try {
      return await Promise.race([reply, late]);
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  /** What blocks is never idle. */
  #probeNowAndThen(client: Client): void {
    if (this.#parts.role === "blocking" || client !== this.#client) return;
    const probe = (): void => {
      const nodes = isCluster(client) ? client.nodes() : [client];
      for (const node of nodes) {
        if (node.status !== "ready") continue;
        // Who does not answer is given up by this alone, and whoever is on the way back needs no question.
        this.#withTimeout(node.ping(), monotonicNow() + this.timeout).catch(() => undefined);
      }
    };
    this.#prober = setInterval(probe, probeInterval).unref();
  }

  #listen(client: Client): void {
    const { onConnected, onDisconnected } = this.#parts;
    client.on("error", (error: Error & { readonly lastNodeError?: Error }) => {
      this.#lastError = error.lastNodeError ?? error;
    });
    client.on("ready", () => {
      if (client !== this.#client) return;
      this.#isReady = true;
      this.#lastError = undefined;
      onConnected?.();
    });
    // Told for each attempt that fails, too.
    client.on("close", () => {
      if (client !== this.#client) return;
      const wasReady = this.#isReady;
      this.#isReady = false;
      if (!wasReady) return;
      onDisconnected?.(this.#lastError === undefined ? undefined : toBrokerError(this.#lastError, this.address));
    });
  }
}
