import { setTimeout as wait } from "node:timers/promises";
import { ClosedError } from "@taskferry/core";
import { Connection, type ConnectionParts } from "../connection.ts";
import { isCluster } from "../driver.ts";
import type { RedisConnectionOptions } from "../options.ts";

export interface SubscriberParts {
  readonly options: RedisConnectionOptions;
  readonly commands: Connection;
  /** Told when it listens again after the connection was lost. */
  readonly onGap: () => void;
}

type Receive = (frame: Buffer) => void;

/** Milliseconds between attempts to listen again where one failed. */
const lookInterval = 10_000;

/**
 * A connection that listens, opened for the first channel. In a cluster it is one to a single node, since each hears of
 * all; when that node goes, another one is chosen.
 */
export class Subscriber {
  readonly #parts: SubscriberParts;
  readonly #channels = new Map<string, Set<Receive>>();
  #connection: Connection | undefined;
  #opening: Promise<void> | undefined;
  #looks: NodeJS.Timeout | undefined;
  #isBehind = false;

  constructor(parts: SubscriberParts) {
    this.#parts = parts;
  }

  /** Resolves once the server has said that it listens. */
  async listen(channel: string, receive: Receive): Promise<void> {
    const others = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, others.add(receive));
    try {
      this.#opening ??= this.#open();
      await this.#opening;
      await this.#subscribe([channel]);
    } catch (error) {
      if (this.#connection === undefined) this.#opening = undefined;
      await this.leave(channel, receive);
      throw error;
    }
  }

  async leave(channel: string, receive: Receive): Promise<void> {
    const others = this.#channels.get(channel);
    if (!others?.delete(receive) || others.size > 0) return;
    this.#channels.delete(channel);
    // Out of reach: then it listens to nothing, and will not to this.
    await this.#connection?.call((client) => client.unsubscribe(channel)).catch(() => undefined);
    // Somebody came while the last one left.
    if (this.#channels.has(channel)) await this.#subscribe([channel]).catch(() => this.#fallBehind());
  }

  close(): void {
    clearInterval(this.#looks);
    this.#connection?.close();
    this.#connection = undefined;
    this.#opening = undefined;
    this.#channels.clear();
  }

  async #open(): Promise<void> {
    await this.#connect();
    this.#looks = setInterval(() => void this.#catchUp(), lookInterval);
  }

  async #connect(): Promise<void> {
    const { commands } = this.#parts;
    const parts: ConnectionParts = {
      role: "subscriber",
      onConnected: () => void this.#catchUp(),
      onDisconnected: () => {
        this.#fallBehind();
        if (commands.isCluster) void this.#chooseAnother(connection);
      },
    };
    const connection = new Connection(this.#connectionOptions(), parts);
    await connection.open();
    connection.client.on("messageBuffer", (channel: Buffer, frame: Buffer) => this.#hear(channel.toString(), frame));
    this.#connection = connection;
  }

  #connectionOptions(): RedisConnectionOptions {
    const { options, commands } = this.#parts;
    const { client } = commands;
    if (!isCluster(client)) return options;
    const nodes = client.nodes("all").filter(({ status }) => status === "ready");
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    if (node === undefined) throw new Error("no node of the cluster is connected");
    return { ...options, client: node };
  }

  async #chooseAnother(lost: Connection): Promise<void> {
    if (this.#connection !== lost) return;
    lost.close();
    for (let pause = 50; this.#connection === lost; pause = Math.min(2 * pause, 2_000)) {
      await this.#connect().catch(() => wait(pause * (0.5 + Math.random() / 2)));
    }
    if (this.#connection === undefined) return;
    await this.#catchUp();
  }

  #hear(channel: string, frame: Buffer): void {
    for (const receive of this.#channels.get(channel) ?? []) receive(frame);
  }

  #fallBehind(): void {
    this.#isBehind = true;
  }

  /** Listens to everything again, and tells of the gap. */
  async #catchUp(): Promise<void> {
    if (!this.#isBehind) return;
    try {
      await this.#subscribe([...this.#channels.keys()]);
    } catch {
      // The next connection, or the next look, tries again.
      return;
    }
    this.#isBehind = false;
    this.#parts.onGap();
  }

  async #subscribe(channels: readonly string[]): Promise<void> {
    if (this.#connection === undefined) throw new ClosedError("The broker redis-pubsub");
    if (channels.length > 0) await this.#connection.call((client) => client.subscribe(...channels));
  }
}
