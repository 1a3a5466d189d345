import type { Broker } from "./broker.ts";
import type { ConnectionConfig } from "./config.ts";
import { ConfigurationError } from "./errors.ts";
import type { ConnectionEvent } from "./events.ts";
import type { Connectable } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import type { Middleware, MiddlewareHost } from "./middleware.ts";
import type { PatientStart } from "./patient-start.ts";
import type { ResultBackend } from "./result-backend.ts";
import { findRoot } from "./root.ts";
import type { StateStore } from "./state-store.ts";
import { fromUrl, type UrlContext } from "./url-schemes.ts";

/** What a configuration comes to. */
export interface Connections {
  readonly root: string;
  readonly broker: Broker;
  readonly results: ResultBackend | undefined;
  readonly state: StateStore | undefined;
  /** Delivers to every worker; the broker itself where it does so anyway. */
  readonly broadcast: Broker | undefined;
}

/**
 * Finds the broker, result backend and state store that `config` asks for. Opens no connection.
 *
 * @throws ConfigurationError `BROKER_NOT_SET`, `PACKAGE_MISSING`, `URL_INVALID`, `CONTRACT_MISMATCH`, `CONFIGURATION_INVALID`.
 */
export async function resolveConnections(config: ConnectionConfig): Promise<Connections> {
  const context: UrlContext = { root: config.root ?? findRoot(process.cwd()), schemes: config.schemes };
  const broker = await resolveBroker(config.broker, context);
  const results = await resolvePart(
    config.results,
    (url) => fromUrl<ResultBackend>("results", url, context),
    broker.companions?.results,
  );
  const state = await resolvePart(
    config.state,
    (url) => fromUrl<StateStore>("states", url, context),
    results?.state ?? broker.companions?.state,
  );
  const broadcast = await resolvePart(
    config.broadcast,
    (url) => fromUrl<Broker>("brokers", url, context),
    broker.capabilities.receivers === "every" ? () => broker : broker.companions?.broadcast,
  );
  for (const part of [broker, results, state, broadcast]) checkContract(part);
  if (broadcast !== undefined) checkBroadcast(broadcast);
  return { root: context.root, broker, results, state, broadcast };
}

export interface OpenParts {
  /** Whether the broker for broadcasts is needed from the start. */
  readonly isListening?: boolean;
  readonly role: "client" | "worker";
  /** For servers that are out of reach. */
  readonly patiently: PatientStart;
  readonly middlewares: readonly Middleware[];
  readonly serializers: MiddlewareHost["serializers"];
  /** Of a worker alone. */
  readonly pause?: MiddlewareHost["pause"];
  readonly logger: Logger;
  readonly onBrokerEvent: (event: ConnectionEvent) => void;
}

/** Connects all parts and starts the middlewares. Resolves to the way back, which never rejects for a middleware. */
export async function openConnections(
  { broker, results, state, broadcast }: Connections,
  { isListening = false, role, middlewares, onBrokerEvent, serializers, pause, patiently, logger }: OpenParts,
): Promise<() => Promise<void>> {
  const listened = isListening ? broadcast : undefined;
  const unsubscribes = [...new Set([broker, listened ?? broker])].map((one) =>
    one.on((event) => {
      if (event.type === "warning") logger.warn({ broker: one.name }, event.message);
      onBrokerEvent({ type: "broker", at: Date.now(), broker: one.name, event });
    }),
  );
  const parts = [broker, results, state, listened].filter((part) => part !== undefined);
  const host: MiddlewareHost = { logger, state, serializers, pause: pause ?? (() => () => undefined) };
  const started: Middleware[] = [];
  let isOpen = false;
  const close = async (): Promise<void> => {
    for (const middleware of started.toReversed()) {
      await middleware
        .stop?.(role, host)
        .catch((error: unknown) => logger.error({ error, middleware: middleware.name }, "a middleware failed to stop"));
    }
    for (const unsubscribe of unsubscribes) unsubscribe();
    if (isOpen) await Promise.all(parts.map((part) => part.close()));
  };
  try {
    await patiently(() => connectAll(parts));
    isOpen = true;
    for (const middleware of middlewares) {
      await middleware.start?.(role, host);
      started.push(middleware);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

/** Connects all of `parts`; when one fails, closes those that did connect and rejects with the first failure. */
async function connectAll(parts: readonly Connectable[]): Promise<void> {
  const connected = await Promise.allSettled(parts.map((part) => part.connect()));
  const failed = connected.find((result) => result.status === "rejected");
  if (failed === undefined) return;
  await Promise.all(parts.filter((_, index) => connected[index]?.status === "fulfilled").map((part) => part.close()));
  throw failed.reason;
}

function isUrl(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

async function resolveBroker(broker: ConnectionConfig["broker"], context: UrlContext): Promise<Broker> {
  if (isUrl(broker)) return fromUrl<Broker>("brokers", broker, context);
  if (typeof broker === "object") return broker;
  if (process.env["NODE_ENV"] !== "production")
    return fromUrl<Broker>("brokers", "sqlite:.taskferry/queue.db", context);
  throw new ConfigurationError(
    "BROKER_NOT_SET",
    'No broker is configured and NODE_ENV is "production". Set `broker` to a URL such as "redis://host:6379", or to "sqlite:/path/queue.db" for a single machine.',
  );
}

/** A value, one made from a URL, none for `false`, or the companion of a part that is there. */
async function resolvePart<T extends object>(
  configured: T | string | false | undefined,
  make: (url: string) => Promise<T>,
  companion: (() => T) | undefined,
): Promise<T | undefined> {
  if (configured === false) return undefined;
  if (isUrl(configured)) return make(configured);
  return typeof configured === "object" ? configured : companion?.();
}

function checkContract(part: { readonly name: string; readonly contract: number } | undefined): void {
  if (part === undefined || part.contract === 1) return;
  throw new ConfigurationError(
    "CONTRACT_MISMATCH",
    `${part.name} implements version ${part.contract} of its contract, this @taskferry/core needs version 1. Update whichever is older.`,
  );
}

function checkBroadcast({ name, capabilities }: Broker): void {
  if (capabilities.receivers === "every") return;
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `broadcast: expected a broker that delivers to every worker, such as redisPubSub, got ${name}, which delivers to one.`,
  );
}
