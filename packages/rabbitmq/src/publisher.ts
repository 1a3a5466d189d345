import {
  BrokerError,
  dedupeId,
  encodeMessage,
  isTaskferryError,
  type Message,
  MessageError,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
  type TaskferryError,
  UnsupportedCapabilityError,
} from "@taskferry/core";
import type { ChannelModel } from "amqplib";
import { withDeliveries } from "./copies.ts";
import type { Link } from "./link.ts";
import type { Fate, Parcel } from "./parcels.ts";
import type { PostOffice } from "./post-office.ts";
import { RecentIds } from "./recent-ids.ts";
import { delayRoute, longestDelay } from "./topology/delays.ts";
import { bandOf, type Names } from "./topology/names.ts";
import type { Topology } from "./topology/topology.ts";

export const maxMessageBytes = 16 * 1024 * 1024;

export interface PublisherParts {
  readonly link: Link;
  readonly office: PostOffice;
  readonly topology: Topology;
  readonly names: Names;
}

/** A parcel, and what must be there for it. */
export interface Errand {
  readonly parcel: Parcel;
  readonly prepare: (topology: Topology, model: ChannelModel) => Promise<void> | undefined;
}

const accepted: PublishResult = { status: "accepted" };

/** Takes messages over. */
export class Publisher {
  readonly #parts: PublisherParts;
  /** Publishes without an answer: the same again may be a second copy. */
  readonly #unclear = new RecentIds();

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  async publish(messages: readonly OutgoingMessage[], timeout: number): Promise<readonly PublishResult[]> {
    const deadline = monotonicNow() + timeout;
    const results: (PublishResult | undefined)[] = messages.map(refusalOf);
    const open = [...messages.keys()].filter((index) => results[index] === undefined);
    if (open.length === 0) return results as readonly PublishResult[];
    const outgoing = open.map((index) => messages[index] as OutgoingMessage);
    const fates = await this.#post(outgoing, deadline);
    if (fates.every((fate) => fate === "unsent") && open.length === messages.length) throw this.#unavailable();
    open.forEach((index, position) => {
      results[index] = this.#toResult(
        fates[position] as Fate | TaskferryError,
        (messages[index] as OutgoingMessage).message,
      );
    });
    return results as readonly PublishResult[];
  }

  /** Sends messages to where they belong. Answers what became of each, or why it cannot be taken. */
  async #post(outgoing: readonly OutgoingMessage[], deadline: number): Promise<readonly (Fate | TaskferryError)[]> {
    const faults = await this.#prepare(outgoing, deadline);
    const sendable = outgoing.filter(({ message }) => !faults.has(message.queue));
    const parcels = sendable.map((item) => this.parcelOf(item));
    const fates = await this.send(parcels, deadline, () => this.#prepare(sendable, deadline));
    let next = 0;
    return outgoing.map(({ message }) => faults.get(message.queue) ?? (fates[next++] as Fate));
  }

  /**
   * Sends parcels, and those that no queue took once more after `prepare`: somebody may have deleted a queue meanwhile.
   */
  async send(parcels: readonly Parcel[], deadline: number, prepare: () => Promise<unknown>): Promise<readonly Fate[]> {
    const { office, topology } = this.#parts;
    const fates = [...(await office.send(parcels, deadline))];
    const lost = [...fates.keys()].filter((index) => fates[index] === "unroutable");
    if (lost.length === 0) return fates;
    topology.forget();
    await prepare();
    const again = await office.send(
      lost.map((index) => parcels[index] as Parcel),
      deadline,
    );
    lost.forEach((index, position) => {
      fates[index] = again[position] as Fate;
    });
    return fates;
  }

  /** Carries what a settlement leads to. @throws TaskferryError where there is nowhere to carry it to, for good. */
  async carry(errands: readonly Errand[], deadline: number): Promise<readonly Fate[]> {
    const { link } = this.#parts;
    const prepare = async (): Promise<void> => {
      const model = await link.up(deadline);
      await within(Promise.all(errands.map((errand) => errand.prepare(this.#parts.topology, model))), deadline);
    };
    try {
      await prepare();
    } catch (error) {
      if (isTaskferryError(error) && !error.retryable) throw error;
      return errands.map(() => "unsent");
    }
    return this.send(
      errands.map(({ parcel }) => parcel),
      deadline,
      prepare,
    );
  }

  /** The errand of a message that is published again. */
  errandOf(outgoing: OutgoingMessage): Errand {
    const { message, delay = 0 } = outgoing;
    return {
      parcel: this.parcelOf(outgoing),
      prepare: async (topology, model) => {
        await topology.band(model, message.queue, bandOf(message));
        if (delay > 0) await topology.delays(model);
      },
    };
  }

  parcelOf({ message, delay = 0 }: OutgoingMessage): Parcel {
    const { names } = this.#parts;
    const target = names.queue(message.queue, bandOf(message));
    const id = dedupeId(message);
    const content = toBuffer(encodeMessage(message));
    // A second copy counts as delivered before, so that the worker looks whether the first one is done.
    const options = this.#unclear.has(id)
      ? { mandatory: true, persistent: true, messageId: id, ...withDeliveries(1) }
      : { mandatory: true, persistent: true, messageId: id };
    if (delay > 0) return { ...delayRoute(names, delay, target), content, options };
    return { exchange: "", routingKey: target, content, options };
  }

  /** Sees to it that there is somewhere to go to. Answers why not, by queue; an outage is no reason. */
  async #prepare(outgoing: readonly OutgoingMessage[], deadline: number): Promise<ReadonlyMap<string, TaskferryError>> {
    const faults = new Map<string, TaskferryError>();
    const { link, topology } = this.#parts;
    const model = await link.up(deadline);
    const work: Promise<void>[] = [];
    for (const { message, delay = 0 } of outgoing) {
      const declaring = this.#declare(topology, model, message);
      const delaying = delay > 0 ? topology.delays(model) : undefined;
      for (const step of [declaring, delaying])
        if (step !== undefined)
          work.push(step.catch((error: unknown) => void faults.set(message.queue, asFault(error))));
    }
    if (work.length > 0) await within(Promise.all(work), deadline);
    return new Map([...faults].filter(([, fault]) => !fault.retryable));
  }

  #declare(topology: Topology, model: ChannelModel, message: Message): Promise<void> | undefined {
    return topology.band(model, message.queue, bandOf(message));
  }

  #toResult(fate: Fate | TaskferryError, message: Message): PublishResult {
    if (typeof fate !== "string") return { status: "refused", error: fate };
    switch (fate) {
      case "confirmed":
        return accepted;
      case "refused":
        return { status: "refused", error: full(message.queue) };
      case "unroutable":
      case "unknown":
        this.#unclear.add(dedupeId(message));
        return { status: "unknown", error: this.#unavailable() };
      case "unsent":
        return { status: "unknown", error: this.#unavailable() };
    }
  }

  #unavailable(): TaskferryError {
    const { link } = this.#parts;
    if (link.isBlocked) {
      const text = `RabbitMQ at ${link.dialling.address} takes no messages for now (a memory or disk alarm): free some, or raise its limits.`;
      return new BrokerError("BROKER_UNAVAILABLE", text);
    }
    return link.isUp
      ? new BrokerError(
          "BROKER_UNAVAILABLE",
          `RabbitMQ at ${link.dialling.address} did not confirm a message in time: it may have been taken.`,
        )
      : (link.unavailable() as TaskferryError);
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function refusalOf({ message, delay = 0 }: OutgoingMessage): PublishResult | undefined {
  if (message.body.length > maxMessageBytes) {
    const text = `Expected a message of at most ${maxMessageBytes} bytes, got a body of ${message.body.length}. Send a reference to the data.`;
    return { status: "refused", error: new MessageError("MESSAGE_TOO_LARGE", text, { id: message.id }) };
  }
  return delay > longestDelay ? { status: "refused", error: tooLong(delay) } : undefined;
}

export function tooLong(delay: number): UnsupportedCapabilityError {
  return new UnsupportedCapabilityError(
    "delay",
    `rabbitmq delays by at most ${longestDelay} ms (8.5 years), got ${delay} ms.`,
  );
}

function full(queue: string): BrokerError {
  return new BrokerError(
    "BROKER_FULL",
    `RabbitMQ did not take a message for the queue ${queue}: it holds its maximum (\`maxLength\`, or a policy), or could not keep it. Let workers catch up, or raise the maximum.`,
  );
}

function asFault(error: unknown): TaskferryError {
  if (isTaskferryError(error)) return error;
  return new BrokerError("BROKER_UNAVAILABLE", error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

function within(work: Promise<unknown>, deadline: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - monotonicNow()));
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
