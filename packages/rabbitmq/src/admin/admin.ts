import {
  type BrokerAdmin,
  type ListOptions,
  monotonicNow,
  type QueueDepth,
  type QueueEntry,
  type QueuePage,
  type QueueSection,
  UnsupportedCapabilityError,
} from "@taskferry/core";
import type { ChannelModel } from "amqplib";
import { onError } from "../driver.ts";
import { classify, toBrokerError } from "../faults.ts";
import type { Link } from "../link.ts";
import { bands, type Names } from "../topology/names.ts";
import { type DeadLetter, DeadQueue } from "./dead-queue.ts";
import { pageOf } from "./pages.ts";

export interface AdminParts {
  readonly link: Link;
  readonly names: Names;
}

/** Looks into the dead letters. Of the other sections RabbitMQ tells by AMQP no more than how many are ready. */
export class RabbitmqAdmin implements BrokerAdmin {
  readonly #link: Link;
  readonly #names: Names;
  readonly #dead: DeadQueue;

  constructor({ link, names }: AdminParts) {
    this.#link = link;
    this.#names = names;
    this.#dead = new DeadQueue(link);
  }

  async queues(): Promise<readonly string[]> {
    throw refusal("list queues");
  }

  async depth(queue: string): Promise<QueueDepth> {
    const model = await this.#model();
    const counts = await Promise.all(bands.map((band) => this.#count(model, this.#names.queue(queue, band))));
    const dead = await this.#count(model, this.#names.dead(queue));
    return { ready: counts.reduce((sum, count) => sum + count, 0), delayed: undefined, running: undefined, dead };
  }

  async list(queue: string, options: ListOptions): Promise<QueuePage> {
    requireDead(options.section);
    return this.#dead.look(await this.#model(), this.#names.dead(queue), (letters) => pageOf(letters, options));
  }

  async read(queue: string, section: QueueSection, key: string): Promise<QueueEntry | undefined> {
    requireDead(section);
    return this.#dead.look(await this.#model(), this.#names.dead(queue), (letters) => {
      const isIt = ({ entry }: DeadLetter): boolean => entry.key === key || entry.message?.id === key;
      return letters.find(isIt)?.entry;
    });
  }

  async remove(queue: string, section: QueueSection, keys: readonly string[]): Promise<number> {
    requireDead(section);
    const wanted = new Set(keys);
    if (wanted.size === 0) return 0;
    return this.#dead.change(await this.#model(), this.#names.dead(queue), ({ entry }) => wanted.has(entry.key));
  }

  async purge(queue: string, section: QueueSection): Promise<number> {
    requireDead(section);
    return this.#dead.change(await this.#model(), this.#names.dead(queue), () => true);
  }

  #model(): Promise<ChannelModel> {
    return this.#link.up(monotonicNow() + this.#link.dialling.timeout);
  }

  /** A channel of its own: it ends when there is no such queue. */
  async #count(model: ChannelModel, name: string): Promise<number> {
    const ask = async (): Promise<number> => {
      const channel = await model.createChannel();
      onError(channel, () => undefined);
      const { messageCount } = await channel.checkQueue(name);
      await channel.close();
      return messageCount;
    };
    try {
      return await this.#link.answer(ask(), "a count");
    } catch (error) {
      if (classify(error) === "missing") return 0;
      throw toBrokerError(error, this.#link.dialling.address);
    }
  }
}

function requireDead(section: QueueSection): void {
  if (section !== "dead") throw refusal(`look into what is ${section}`);
}

function refusal(what: string): UnsupportedCapabilityError {
  return new UnsupportedCapabilityError(
    "inspects",
    `rabbitmq cannot ${what}: AMQP offers no way that changes nothing. Use RabbitMQ's management interface, or rabbitmqctl.`,
  );
}
