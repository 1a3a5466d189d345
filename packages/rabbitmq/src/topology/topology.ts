import { ConfigurationError } from "@taskferry/core";
import type { Channel, ChannelModel } from "amqplib";
import { onError } from "../driver.ts";
import { classify, toBrokerError } from "../faults.ts";
import type { Link } from "../link.ts";
import { declareDelays, declareDeliver, deliverPattern } from "./delays.ts";
import { type Band, bands, type Names } from "./names.ts";

export interface TopologyParts {
  readonly names: Names;
  readonly declares: boolean;
  readonly deliveryLimit: number;
  readonly maxLength: number | undefined;
}

/** Milliseconds that all declarations of one kind may take. */
export const longestDeclaring = 10_000;
/** Far above what looking can reach: each look into the dead letters hands them out once. */
const deadDeliveryLimit = 1_000_000_000;

/** Sees to it that queues and exchanges are there, each once for a connection. */
export class Topology {
  readonly #parts: TopologyParts;
  readonly #link: Link;
  /** By name; of the connection that is open now. */
  #known = new Map<string, Promise<void>>();
  #model: ChannelModel | undefined;

  constructor(link: Link, parts: TopologyParts) {
    this.#link = link;
    this.#parts = parts;
  }

  /** One band of a queue, with its dead letters. */
  band(model: ChannelModel, queue: string, band: Band): Promise<void> | undefined {
    const name = this.#parts.names.queue(queue, band);
    return this.#once(model, name, (channel) => this.#declareBands(channel, queue, [band]));
  }

  /** All bands of a queue, for those who take from it. */
  queue(model: ChannelModel, queue: string): Promise<void> | undefined {
    return this.#once(model, `${queue}::`, (channel) => this.#declareBands(channel, queue, bands));
  }

  dead(model: ChannelModel, queue: string): Promise<void> | undefined {
    return this.#once(model, this.#parts.names.dead(queue), (channel) => this.#declareDead(channel, queue));
  }

  delays(model: ChannelModel): Promise<void> | undefined {
    const { names, declares } = this.#parts;
    return this.#once(model, names.delay(0), (channel) =>
      declares ? declareDelays(channel, names) : checkExists(channel.checkExchange(names.delay(0)), names.delay(0)),
    );
  }

  /** To be told that something was not there after all. */
  forget(): void {
    this.#known = new Map();
  }

  /** `undefined` where it is known to be there: the commonest, without a promise. */
  #once(model: ChannelModel, name: string, declare: (channel: Channel) => Promise<void>): Promise<void> | undefined {
    if (model !== this.#model) {
      this.#model = model;
      this.#known = new Map();
    }
    const known = this.#known;
    const before = known.get(name);
    if (before !== undefined) return before === there ? undefined : before;
    const declaring = this.#onOwnChannel(model, declare);
    known.set(name, declaring);
    declaring.then(
      () => known.set(name, there),
      () => known.delete(name),
    );
    return declaring;
  }

  /** A channel of its own: what goes wrong closes it. */
  async #onOwnChannel(model: ChannelModel, declare: (channel: Channel) => Promise<void>): Promise<void> {
    const work = async (): Promise<void> => {
      const channel = await model.createChannel();
      let closed: Error | undefined;
      onError(channel, (error) => {
        closed = error;
      });
      await declare(channel);
      if (closed === undefined) await channel.close();
    };
    // Over a hundred calls, where delays are used for the first time.
    const timeout = Math.max(this.#link.dialling.timeout, longestDeclaring);
    try {
      await (this.#link.isBlocked ? work() : this.#link.answer(work(), "declarations", { timeout }));
    } catch (error) {
      throw toBrokerError(error, this.#link.dialling.address);
    }
  }

  async #declareBands(channel: Channel, queue: string, wanted: readonly Band[]): Promise<void> {
    const { names, declares, deliveryLimit, maxLength } = this.#parts;
    if (!declares) {
      for (const band of wanted)
        await checkExists(channel.checkQueue(names.queue(queue, band)), names.queue(queue, band));
      return;
    }
    await this.#declareDead(channel, queue);
    await declareDeliver(channel, names);
    for (const band of wanted) {
      const name = names.queue(queue, band);
      await channel.assertQueue(name, {
        durable: true,
        arguments: {
          "x-queue-type": "quorum",
          "x-delivery-limit": deliveryLimit,
          "x-dead-letter-exchange": "",
          "x-dead-letter-routing-key": names.dead(queue),
          "x-dead-letter-strategy": "at-least-once",
          "x-overflow": "reject-publish",
          ...(maxLength !== undefined && { "x-max-length": maxLength }),
        },
      });
      await channel.bindQueue(name, names.deliver, deliverPattern(name));
    }
  }

  async #declareDead(channel: Channel, queue: string): Promise<void> {
    const name = this.#parts.names.dead(queue);
    if (!this.#parts.declares) return checkExists(channel.checkQueue(name), name);
    await channel.assertQueue(name, {
      durable: true,
      arguments: { "x-queue-type": "quorum", "x-delivery-limit": deadDeliveryLimit },
    });
  }
}

const there = Promise.resolve();

async function checkExists(check: Promise<unknown>, name: string): Promise<void> {
  try {
    await check;
  } catch (error) {
    if (classify(error) !== "missing") throw error;
    throw new ConfigurationError(
      "CONFIGURATION_INVALID",
      `"${name}" is not there, and \`declare\` is false: declare it beforehand as the README of @taskferry/rabbitmq says, or set \`declare\` to true.`,
      { cause: error },
    );
  }
}
