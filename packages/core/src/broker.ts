import type { ErrorCode, TaskferryError } from "./errors.ts";
import type { Connectable } from "./lifecycle.ts";
import type { Message } from "./message.ts";
import type { ResultBackend } from "./result-backend.ts";
import type { StateStore } from "./state-store.ts";

/**
 * The contract of a broker, version 1. A broker moves messages between processes; it knows nothing of tasks, schemas or
 * results. `testBroker` of @taskferry/testing holds an implementation to every sentence below.
 *
 * Outages are the broker's own business. It reconnects for ever with backoff and jitter; a call that waits goes on
 * waiting; nothing that was assigned is dropped. No call may hang on a connection that is half open: each has a timeout.
 *
 * A name (task, queue, id) reaches a broker in the grammar of `message.ts`; it escapes what is special on its server.
 */
export interface Broker extends Connectable {
  /** A short name for logs and metrics, such as `"redis-list"`. It never carries a URL. */
  readonly name: string;
  /** The version of this contract. A worker or client refuses another with `CONTRACT_MISMATCH` at start. */
  readonly contract: 1;
  readonly capabilities: BrokerCapabilities;

  /**
   * Takes over messages, in batches. Answers per item and in order; each answer is final for that call.
   *
   * - A publish is idempotent by `id:run:hop` for at least `capabilities.dedupeWindow`, counted from when the message
   *   left the queue; while it is still in the queue it is a duplicate in any case. The same id with another run or hop
   *   is another message.
   * - Without a reply, the broker may send a batch again by itself. It answers `unknown` for what it cannot find out
   *   before `timeout`, and the caller may publish again under the same hop.
   * - It rejects as a whole only when nothing was attempted: `BROKER_UNAVAILABLE` when the server was out of reach for
   *   `timeout`, `CLOSED` after close.
   * - `refused` is for what no repetition mends by itself: `BROKER_FULL`, `MESSAGE_TOO_LARGE`, `UNSUPPORTED_CAPABILITY`.
   */
  publish(messages: readonly OutgoingMessage[], options: PublishOptions): Promise<readonly PublishResult[]>;

  /** Starts to receive from a queue, which need not exist yet. Several consumers of one queue compete. */
  consume(queue: string, options: ConsumeOptions): Promise<Consumer>;

  /** Looks into queues and changes them. Absent where `capabilities.inspection` is refused. */
  readonly admin?: BrokerAdmin;

  /** What else the same server offers, for those who configure none. New values at each call. */
  readonly companions?: BrokerCompanions;

  /** Tells of the connection. A listener that throws harms nothing. */
  on(listener: (event: BrokerEvent) => void): Unsubscribe;
}

export type Unsubscribe = () => void;

export interface BrokerCompanions {
  readonly results?: () => ResultBackend;
  readonly state?: () => StateStore;
  /** A broker that delivers to every worker that listens (`receivers: "every"`), for tasks with `broadcast: true`. */
  readonly broadcast?: () => Broker;
}

/**
 * What a broker can do, as data. `native`: the server does it. `emulated`: the package does it, with the same promise.
 * `refused`: it cannot be had, and whoever asks for it gets `UNSUPPORTED_CAPABILITY`. Nothing is ignored in silence.
 */
export interface BrokerCapabilities {
  /** `at-least-once`: a message is gone only when it was settled. `at-most-once`: it is gone when it was taken. */
  readonly delivery: "at-least-once" | "at-most-once";
  /** Whom a message reaches: one of the competing workers, or every worker that listens. */
  readonly receivers: "one" | "every";
  /** Whether messages outlive a crash of the server (of all processes, for brokers without a server). */
  readonly durable: Support;
  /** `OutgoingMessage.delay` and the delay of a retry. Never early; late by at most `delayResolution` ms on an idle machine. */
  readonly delay: Support;
  readonly delayResolution: number;
  /** Bands 0-3, 4-6, 7-9: a higher band first, yet at least one take in eight from a lower band that waits. */
  readonly priority: Support;
  /**
   * First in, first out within a band, at first delivery. What a consumer had fetched and hands back, such as because
   * nobody took it within moments, may go to the end of its band.
   */
  readonly ordering: Support;
  /** Settlements `retry` and `release`, and redelivery after a crash. Refused: these only count. */
  readonly redelivery: Support;
  /** Whether deliveries carry a lease that `extend` renews. Refused: a delivery lasts as long as its connection. */
  readonly lease: Support;
  /** Whether deliveries carry `deliveryCount`. */
  readonly deliveryCount: Support;
  /** Settlement `reject` keeps the message with its reason. Refused: it only counts. */
  readonly deadLetters: Support;
  /** Whether `publish` recognises what it has seen, and for how many ms at least after it left the queue. */
  readonly dedupe: Support;
  readonly dedupeWindow: number;
  /** Whether `admin` is there. */
  readonly inspection: Support;
  /**
   * What `admin` can look into: sections, and the list of all queues. Absent: everything. For the rest its calls reject
   * with `UNSUPPORTED_CAPABILITY`, and `depth` may tell `undefined`.
   */
  readonly inspects?: readonly (QueueSection | "queues")[];
  /** Bytes of an encoded message that the server takes at most. */
  readonly maxMessageBytes: number;
}

export type Support = "native" | "emulated" | "refused";

export interface OutgoingMessage {
  readonly message: Message;
  /** Milliseconds from now, by the server's clock, before which nobody may take it. Absent: 0. */
  readonly delay?: number;
}

export interface PublishOptions {
  /** Milliseconds for the whole call, outages included. */
  readonly timeout: number;
}

export type PublishResult =
  | { readonly status: "accepted" }
  | { readonly status: "duplicate" }
  | { readonly status: "refused"; readonly error: TaskferryError }
  | { readonly status: "unknown"; readonly error: TaskferryError };

export interface ConsumeOptions {
  /** How many unsettled deliveries the consumer may hold at once, running ones included. At least 1. */
  readonly window: number;
  /** Milliseconds for which a delivery belongs to this consumer unless renewed. */
  readonly lease: number;
}

/**
 * Receives from one queue. A broker may fetch ahead within `window`; it renews what it buffers itself, and once `take`
 * has handed a delivery over, its owner renews it with `extend` and ends it with `settle`, once.
 */
export interface Consumer extends AsyncDisposable {
  /**
   * Waits for 1 to `max` deliveries. It waits through outages; it resolves `[]` when `signal` aborts, the window is
   * used up or the consumer is stopped, and never drops a delivery that was assigned to it meanwhile: it returns it, or
   * hands it back to the server. It rejects only after close, or on what no retry mends (credentials, permissions).
   * One call at a time.
   */
  take(max: number, signal: AbortSignal): Promise<readonly Delivery[]>;

  /**
   * Renews leases to a full `lease` from now and returns the deliveries that are lost: another owner has them, or they
   * are settled. The renewed ones get a new `leaseUntil`. It rejects with `BROKER_UNAVAILABLE` when the server cannot be asked; nothing is known
   * to be lost then. Where leases are refused it resolves `[]`.
   */
  extend(deliveries: readonly Delivery[]): Promise<readonly Delivery[]>;

  /**
   * Ends deliveries, in batches; the only way to end one. Answers per item and in order. `lost`: the delivery no longer
   * belongs to this consumer, and nothing was changed. `unknown`: no reply; the same settlement may be sent again, and
   * changes nothing the second time.
   */
  settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]>;

  /** Calls of `settle` that may be under way at once. While so many are, settlements gather for the next. Default 2. */
  readonly settlesAtOnce?: number;

  /** Takes no more: ends the subscription and hands back what was fetched but not taken. `extend` and `settle` go on. */
  stop(): Promise<void>;

  /** `stop()`, then gives up what is unsettled: it is delivered again to somebody, at the latest when its lease ends. */
  close(): Promise<void>;
}

/** One message handed to one consumer. Plain data but for `token`. */
export type Delivery = ReadableDelivery | MalformedDelivery;

interface DeliveryBase {
  /** How often it was handed out, this time included; hand-backs by `release` not counted. `undefined`: the server does not tell. */
  readonly deliveryCount: number | undefined;
  /** When the lease ends on the clock of `monotonicNow()`, counted from before the request was sent. `undefined`: no lease. */
  leaseUntil: number | undefined;
  /** Whatever the broker needs to settle it. Opaque to everybody else. */
  readonly token: unknown;
}

export interface ReadableDelivery extends DeliveryBase {
  readonly message: Message;
  readonly malformed?: never;
}

/** Bytes that are no message. The worker rejects them; the broker keeps these very bytes in the dead letters. */
export interface MalformedDelivery extends DeliveryBase {
  readonly message?: never;
  readonly malformed: { readonly bytes: Uint8Array; readonly error: TaskferryError; readonly id: string | undefined };
}

/**
 * What becomes of a delivery.
 *
 * - `ack`: done, forget it.
 * - `retry`: put `next` (hop + 1 of the same message) in its place after `delay` ms. Both or neither where the server
 *   allows; else publish first, then ack, so that a crash between the two doubles and never loses.
 * - `reject`: to the dead letters, bytes and reason kept.
 * - `release`: hand it back unspent, for anybody to take at once; not counted as a delivery. A message released fifty
 *   times is still there. It goes to the front of its queue where the server can.
 */
export type Settlement =
  | { readonly kind: "ack"; readonly delivery: Delivery }
  | { readonly kind: "retry"; readonly delivery: Delivery; readonly next: Message; readonly delay: number }
  | { readonly kind: "reject"; readonly delivery: Delivery; readonly reason: DeadLetterReason }
  | { readonly kind: "release"; readonly delivery: Delivery };

export type SettleResult = "settled" | "lost" | "unknown";

/** Why a message was given up on. `code` is an error code, or `TASK_FAILED` for an error of the handler. */
export interface DeadLetterReason {
  readonly code: ErrorCode;
  readonly message: string;
  /** Wall-clock time in epoch milliseconds. */
  readonly at: number;
}

export type QueueSection = "ready" | "delayed" | "running" | "dead";

export type QueueDepth = Readonly<Record<QueueSection, number | undefined>>;

/** Looks into queues without side effects, and removes. Replay is the client's business. */
export interface BrokerAdmin {
  /** The queues that exist on the server, sorted by name: those that hold something, at least. */
  queues(): Promise<readonly string[]>;
  /**
   * How many messages each section holds, truthfully: `ready` counts all that wait for a worker. `undefined` where the
   * server does not tell, in sections that `capabilities.inspects` leaves out.
   */
  depth(queue: string): Promise<QueueDepth>;
  /** A page of a section, oldest first (dead: newest first); `cursor` leads to the next, and is absent on the last. */
  list(queue: string, options: ListOptions): Promise<QueuePage>;
  /** One entry by the key that `list` gave, or by a task's id: then its newest entry. */
  read(queue: string, section: QueueSection, key: string): Promise<QueueEntry | undefined>;
  /** Removes entries by key and says how many there were. What a worker holds (`running`) is never removed. */
  remove(queue: string, section: Exclude<QueueSection, "running">, keys: readonly string[]): Promise<number>;
  /** Removes all entries of a section and says how many there were. */
  purge(queue: string, section: Exclude<QueueSection, "running">): Promise<number>;
}

export interface ListOptions {
  readonly section: QueueSection;
  /** At most so many entries, 1 to 1,000. */
  readonly limit: number;
  readonly cursor?: string;
}

export interface QueuePage {
  readonly entries: readonly QueueEntry[];
  readonly cursor?: string;
}

export interface QueueEntry {
  readonly key: string;
  /** The bytes as they travelled. */
  readonly bytes: Uint8Array;
  /** Absent when the bytes are no message. */
  readonly message?: Message;
  /** Wall-clock epoch milliseconds: when a delayed one is due, when a running one's lease ends. */
  readonly dueAt?: number;
  /** Present in the dead letters. */
  readonly reason?: DeadLetterReason;
}

export type BrokerEvent =
  | { readonly type: "connected" }
  | { readonly type: "disconnected"; readonly error: Error | undefined }
  /** The server refuses publishes for now, such as on a memory alarm; `unblocked` ends it. */
  | { readonly type: "blocked"; readonly reason: string }
  | { readonly type: "unblocked" }
  /** Messages may have been missed, on brokers that deliver at most once. */
  | { readonly type: "gap"; readonly reason: string }
  /** The server works, yet in a way that can cost data or time, such as a wrong eviction policy. */
  | { readonly type: "warning"; readonly message: string };
