import { randomUUID } from "node:crypto";
import {
  BrokerError,
  ClosedError,
  countedLifecycle,
  decodeOutcome,
  encodeOutcome,
  isTaskferryError,
  MessageError,
  monotonicNow,
  type ResultBackend,
  type StoredOutcome,
  type WaitOptions,
} from "@taskferry/core";
import type { Channel, ChannelModel } from "amqplib";
import { onError, readDialling } from "../driver.ts";
import { toBrokerError } from "../faults.ts";
import { Link } from "../link.ts";
import { checkNamespace, type RabbitmqConnectionOptions } from "../options.ts";
import type { Parcel } from "../parcels.ts";
import { PostOffice } from "../post-office.ts";
import { Inbox } from "./inbox.ts";

const maxOutcomeBytes = 16 * 1024 * 1024;
/** Milliseconds for which the queue of a client that is gone stays: a client that reconnects finds what came meanwhile. */
const queueExpires = 5 * 60_000;
const pause = 200;

/**
 * Results for those who have nothing but RabbitMQ: an outcome is pushed straight back to the client that enqueued the
 * task. Nothing is kept on the server: no other process can read or await it.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`; ConfigurationError `URL_INVALID`.
 */
export function rabbitmqResults(options: RabbitmqConnectionOptions = {}): ResultBackend {
  return new RabbitmqResults(options);
}

class RabbitmqResults implements ResultBackend {
  readonly name = "rabbitmq-results";
  readonly contract = 1;
  readonly capabilities = { durable: false, shared: false, kept: false, maxOutcomeBytes };
  readonly replyTo: string;
  readonly #publishing: Link;
  readonly #receiving: Link;
  readonly #office: PostOffice;
  readonly #inbox = new Inbox();
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });
  #listening: Promise<void> | undefined;

  constructor(options: RabbitmqConnectionOptions) {
    const dialling = readDialling(options);
    this.replyTo = `${checkNamespace(options.namespace)}:replies:${randomUUID()}`;
    this.#publishing = new Link(dialling, {
      onUp: (model) => this.#office.open(model),
      onBlocked: () => this.#office.wake(),
    });
    this.#receiving = new Link(dialling, { onUp: (model) => this.#listen(model) });
    this.#office = new PostOffice(this.#publishing);
  }

  connect(): Promise<void> {
    return this.#lifecycle.connect();
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async store(outcomes: readonly StoredOutcome[]): Promise<readonly StoredOutcome[]> {
    this.#checkOpen();
    const parcels = outcomes.flatMap(toParcel);
    if (parcels.length === 0) return [...outcomes];
    const { dialling } = this.#publishing;
    const deadline = monotonicNow() + dialling.timeout;
    await this.#publishing.up(deadline);
    const fates = await this.#office.send(parcels, deadline);
    // Who is gone hears nothing, and a queue that takes no more belongs to one who reads nothing.
    if (!fates.some((fate) => fate === "unknown" || fate === "unsent")) return [...outcomes];
    const text = `RabbitMQ at ${dialling.address} did not take an outcome in time.`;
    throw this.#publishing.isUp ? new BrokerError("BROKER_UNAVAILABLE", text) : this.#publishing.unavailable();
  }

  async get(ids: readonly string[]): Promise<readonly (StoredOutcome | undefined)[]> {
    this.#checkOpen();
    return ids.map((id) => this.#inbox.get(id));
  }

  async wait(id: string, options: WaitOptions): Promise<StoredOutcome> {
    this.#checkOpen();
    return this.#inbox.wait(id, options);
  }

  async delete(ids: readonly string[]): Promise<number> {
    this.#checkOpen();
    return ids.filter((id) => this.#inbox.delete(id)).length;
  }

  async #open(): Promise<void> {
    await Promise.all([this.#publishing.open(), this.#receiving.open()]).catch(async (error: unknown) => {
      await this.#closeLinks();
      throw error;
    });
  }

  async #shut(): Promise<void> {
    this.#inbox.close(closed());
    await this.#forgetQueue();
    await this.#closeLinks();
  }

  async #closeLinks(): Promise<void> {
    this.#office.close();
    await Promise.all([this.#publishing.close(), this.#receiving.close()]);
  }

  /** Where it fails, the queue ends by itself a few minutes later. */
  async #forgetQueue(): Promise<void> {
    if (!this.#receiving.isUp) return;
    const work = async (): Promise<void> => {
      const model = await this.#receiving.up(monotonicNow());
      const channel = await model.createChannel();
      onError(channel, () => undefined);
      await channel.deleteQueue(this.replyTo);
    };
    await this.#receiving.answer(work(), "the end of a queue").catch(() => undefined);
  }

  async #listen(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel();
    onError(channel, () => undefined);
    await channel.assertQueue(this.replyTo, { durable: true, arguments: { "x-expires": queueExpires } });
    await channel.consume(
      this.replyTo,
      (raw) => (raw === null ? this.#onLost(channel, model) : this.#receive(raw.content)),
      {
        noAck: true,
      },
    );
    channel.once("close", () => this.#onLost(channel, model));
  }

  /** The queue was deleted, or the channel ended: listen anew, unless the connection is gone, which does so by itself. */
  #onLost(channel: Channel, model: ChannelModel): void {
    if (!this.#receiving.isUp || this.#listening !== undefined) return;
    const again = async (): Promise<void> => {
      await channel.close().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (this.#lifecycle.isOpen() && this.#receiving.isUp) await this.#listen(model);
    };
    this.#listening = again()
      .catch((error: unknown) => {
        this.#receiving.drop(toBrokerError(error, this.#receiving.dialling.address).message, model);
      })
      .finally(() => {
        this.#listening = undefined;
      });
  }

  #receive(content: Buffer): void {
    try {
      this.#inbox.receive(decodeOutcome(content));
    } catch (error) {
      // Somebody else's bytes: nobody waits for them.
      if (!isTaskferryError(error)) throw error;
    }
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw closed();
  }
}

/** @throws MessageError `MESSAGE_TOO_LARGE`. */
function toParcel(outcome: StoredOutcome): readonly Parcel[] {
  if (outcome.replyTo === undefined) return [];
  const bytes = encodeOutcome(outcome);
  if (bytes.length > maxOutcomeBytes) {
    throw new MessageError(
      "MESSAGE_TOO_LARGE",
      `Expected an outcome of at most ${maxOutcomeBytes} bytes, got ${bytes.length}. Return a reference to the data.`,
      { id: outcome.id },
    );
  }
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [{ exchange: "", routingKey: outcome.replyTo, content, options: { messageId: outcome.id } }];
}

function closed(): ClosedError {
  return new ClosedError("The result backend rabbitmq-results");
}
