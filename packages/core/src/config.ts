import type { Broker } from "./broker.ts";
import type { ByteSize } from "./byte-size.ts";
import type { Duration } from "./duration.ts";
import type { Handler } from "./handler.ts";
import type { Logger } from "./logger.ts";
import type { Middleware } from "./middleware.ts";
import type { ClaimCheck } from "./protection/claim-check.ts";
import type { Encryption } from "./protection/encryption.ts";
import type { Signatures } from "./protection/signatures.ts";
import type { ProviderOverride } from "./provider.ts";
import type { ResultBackend } from "./result-backend.ts";
import type { Schedule } from "./schedule.ts";
import type { Serializer } from "./serializer.ts";
import type { StateStore } from "./state-store.ts";

/** What client and worker share: where messages, outcomes and state go. Most applications keep it in `taskferry.config.ts`. */
export interface ConnectionConfig {
  /**
   * A broker, or a URL whose scheme names its package. Absent: `sqlite:.taskferry/queue.db`, and an error
   * (`BROKER_NOT_SET`) when NODE_ENV is `production`.
   */
  readonly broker?: Broker | string | undefined;
  /** Where outcomes are kept. Absent: what the broker's package offers. `false`: nowhere. */
  readonly results?: ResultBackend | string | false | undefined;
  /** Where small shared state is kept. Absent: what the result backend's or the broker's package offers. `false`: nowhere. */
  readonly state?: StateStore | string | false | undefined;
  /** Where tasks with `broadcast: true` go. Absent: what the broker's package offers. `false`: nowhere. */
  readonly broadcast?: Broker | string | false | undefined;
  /** Writes inputs and results. Default `jsonSerializer()`. */
  readonly serializer?: Serializer;
  /** More formats that are read, beside `serializer` and JSON. */
  readonly serializers?: readonly Serializer[];
  /** The first is the outermost. */
  readonly middlewares?: readonly Middleware[];
  /** Schemes of URLs beside those of the @taskferry packages. */
  readonly schemes?: UrlSchemes;
  /** Where relative paths begin and packages are looked for. Default: the nearest folder from the working directory up with a package.json. */
  readonly root?: string;
  /** How long an enqueue may wait for the broker, outages included: of a client, and of a handler. Default `"30s"`. */
  readonly publishTimeout?: Duration;
  /** Signs messages, outcomes and records that control workers, and refuses what is not signed. See `signatures()`. */
  readonly signatures?: Signatures;
  /** Encrypts inputs and results. See `encryption()`. */
  readonly encryption?: Encryption;
  /** Keeps large inputs and results in the state store. See `claimCheck()`. */
  readonly claimCheck?: ClaimCheck;
  /** Bytes of a serialized input at most. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** How long a start may wait for servers that are out of reach. Default 0: it fails at once, for whoever supervises it to try again. */
  readonly startTimeout?: Duration;
  /** Client: logs nothing unless given. Worker: JSON lines on standard error unless given. */
  readonly logger?: Logger;
}

/** What a client needs. */
export type ClientConfig = ConnectionConfig;

/** What a worker needs. */
export interface WorkerConfig extends ConnectionConfig {
  /** Handlers by value, or modules (path or URL) whose exported handlers are collected. */
  readonly handlers?: readonly (Handler | string | URL)[];
  /** The queues to work on. Default: those of the handlers' tasks, with a concurrency of 10 each. */
  readonly queues?: Readonly<Record<string, QueueOptions>>;
  /** Names it in outcomes, events and logs. Default: host name, process id and a random part. */
  readonly name?: string;
  /** For how long a delivery belongs to this worker unless renewed; it is renewed at a third of it. Default `"30s"`. */
  readonly lease?: Duration;
  /**
   * Deliveries of one message after which it goes to the dead letters unrun. Default 10. From the third on it runs with
   * no other beside it at first, so that a task that kills its worker each time takes no other along.
   */
  readonly maxDeliveries?: number;
  /**
   * How often it says in the state store that it lives, and what it does, for `client.workers()`; it is forgotten after
   * three times as long. Default `"5s"`. `false`: never.
   */
  readonly presence?: Duration | false;
  readonly shutdown?: ShutdownOptions;
  readonly isolation?: IsolationOptions;
  /** For tests: values in the place of what providers make, such as `[db.override(fake)]`. */
  readonly overrides?: readonly ProviderOverride[];
}

/** The threads and processes in which handlers run. They start when they are needed first. */
export interface IsolationOptions {
  /** Threads for tasks with `isolation: "thread"`, at most. Default: as many as the machine has processors. */
  readonly threads?: number;
  /** Processes for tasks with `isolation: "process"`, at most. Default: as many as the machine has processors. */
  readonly processes?: number;
  /** What the JavaScript of each may hold: bytes, or a string such as `"512mb"`. Whose task needs more fails. Default: Node's own limit. */
  readonly maxMemory?: ByteSize;
  /** Tasks after which each is replaced by a new one. Default: never. */
  readonly maxTasks?: number;
  /**
   * Where tasks with `isolation: "loop"` run. `"here"`: in the event loop of the worker itself, the default of
   * `createWorker`. `"apart"`: in that of a child process, so that a handler which blocks it costs no lease; the default
   * of the command.
   */
  readonly loop?: "here" | "apart";
  /** The module with this configuration, from which threads and processes take serializers and `overrides`. The command knows it. */
  readonly config?: string | URL;
}

export interface QueueOptions {
  /** Handlers that run at once. Default 10. */
  readonly concurrency?: number;
}

/** The stages of a stop. A stage ends early when there is nothing left to wait for. */
export interface ShutdownOptions {
  /** How long running handlers may go on. Default `"25s"`. */
  readonly timeout?: Duration;
  /** How long they may go on after their signals aborted. Default `"2s"`. */
  readonly grace?: Duration;
}

/** What a scheduler needs. */
export interface SchedulerConfig extends ConnectionConfig {
  /** Schedules by value, or modules (path or URL) whose exported schedules are collected. */
  readonly schedules?: readonly (Schedule | string | URL)[];
}

/** A whole configuration, as `taskferry.config.ts` exports it. */
export interface Config extends ClientConfig, WorkerConfig, SchedulerConfig {}

/** Makes implementations from URLs, by scheme with its colon, such as `"redis:"`. Packages export theirs as `schemes`. */
export interface UrlSchemes {
  readonly brokers?: Readonly<Record<string, (url: string) => Broker>>;
  readonly results?: Readonly<Record<string, (url: string) => ResultBackend>>;
  readonly states?: Readonly<Record<string, (url: string) => StateStore>>;
}

/** Gives `config` back, checked by the compiler. */
export function defineConfig<const TConfig extends Config>(config: TConfig): TConfig {
  return config;
}
