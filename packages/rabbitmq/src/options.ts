import { ConfigurationError, type Duration, OptionError, redactUrl } from "@taskferry/core";
import type { SocketOptions } from "amqplib";

/** Where RabbitMQ is, and under which names things are kept there. */
export interface RabbitmqConnectionOptions {
  /** `amqp://user:password@host:port/vhost`, `amqps://` for TLS. Default `amqp://guest:guest@127.0.0.1:5672`. */
  readonly url?: string;
  /** Options of the socket, such as `ca`, `cert` and `key` for TLS. */
  readonly socket?: Omit<SocketOptions, "noDelay" | "timeout">;
  /** The first part of every name of a queue or exchange: letters, digits, `_` and `-`. Default `"taskferry"`. */
  readonly namespace?: string;
  /** How long a single call may take before its connection is given up as dead. Default `"10s"`. */
  readonly commandTimeout?: Duration;
  /** A connection on which nothing comes for twice as long is given up. Whole seconds. Default `"10s"`. */
  readonly heartbeat?: Duration;
  /**
   * Whether queues and exchanges are declared. `false`: an operator has done it (the README has the names), and no
   * permission to configure is needed. Default `true`.
   */
  readonly declare?: boolean;
}

/** Options of {@link rabbitmq}. */
export interface RabbitmqOptions extends RabbitmqConnectionOptions {
  /** Deliveries after which RabbitMQ itself moves a message to the dead letters (`x-delivery-limit`). Default 20. */
  readonly deliveryLimit?: number;
  /** Messages that wait in each band of a queue at most; beyond, `BROKER_FULL` (`x-max-length`). Default: no limit. */
  readonly maxLength?: number;
}

const own = ["namespace", "commandTimeout", "heartbeat", "declare", "deliveryLimit", "maxLength"] as const;

/** Options in the query of a URL: `?namespace=blue&deliveryLimit=50&declare=false`. `+fanout` in its scheme is taken off. */
export function readUrl(url: string): RabbitmqOptions {
  const parsed = new URL(readableUrl(url));
  const given = new Map(own.map((name) => [name, parsed.searchParams.get(name)]));
  for (const name of own) parsed.searchParams.delete(name);
  const text = (name: (typeof own)[number]) => {
    const value = given.get(name);
    return typeof value === "string" ? { [name]: value } : {};
  };
  const number = (name: (typeof own)[number]) => {
    const value = given.get(name);
    return typeof value === "string" ? { [name]: Number(value) } : {};
  };
  const declare = given.get("declare");
  return {
    url: parsed.href.replace(/^(amqps?)\+fanout:/, "$1:"),
    ...text("namespace"),
    ...text("commandTimeout"),
    ...text("heartbeat"),
    ...number("deliveryLimit"),
    ...number("maxLength"),
    ...(typeof declare === "string" && { declare: declare !== "false" }),
  };
}

/**
 * The URL itself. Node's own error of a wrong one would show it whole, with its password.
 *
 * @throws ConfigurationError `URL_INVALID`.
 */
export function readableUrl(url: string): string {
  if (URL.canParse(url) && /^amqps?(\+fanout)?:$/.test(new URL(url).protocol)) return url;
  throw new ConfigurationError(
    "URL_INVALID",
    `The URL ${redactUrl(url)} cannot be read: expected amqp://user:password@host:port/vhost, special characters percent-encoded.`,
  );
}

/** @throws OptionError `OPTION_INVALID`. */
export function checkNamespace(namespace = "taskferry"): string {
  if (/^[A-Za-z0-9_-]{1,50}$/.test(namespace)) return namespace;
  throw new OptionError(
    "OPTION_INVALID",
    `namespace: expected 1 to 50 letters, digits, "_" or "-", got ${JSON.stringify(namespace)}.`,
  );
}

/** @throws OptionError `OPTION_INVALID`. */
export function checkCount(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least) return value;
  throw new OptionError("OPTION_INVALID", `${name}: expected a whole number from ${least}, got ${value}.`);
}
