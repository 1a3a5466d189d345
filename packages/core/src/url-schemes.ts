import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Broker } from "./broker.ts";
import type { UrlSchemes } from "./config.ts";
import { ConfigurationError } from "./errors.ts";
import { memory } from "./memory/broker.ts";

export interface UrlContext {
  readonly root: string;
  readonly schemes: UrlSchemes | undefined;
}

type Kind = "brokers" | "results" | "states";

const kindNames: Readonly<Record<Kind, string>> = {
  brokers: "broker",
  results: "result backend",
  states: "state store",
};

const packages: Readonly<Record<string, string>> = {
  "redis:": "@taskferry/redis",
  "rediss:": "@taskferry/redis",
  "redis+stream:": "@taskferry/redis",
  "redis+pubsub:": "@taskferry/redis",
  "amqp:": "@taskferry/rabbitmq",
  "amqps:": "@taskferry/rabbitmq",
  "amqp+fanout:": "@taskferry/rabbitmq",
  "amqps+fanout:": "@taskferry/rabbitmq",
  "nats:": "@taskferry/nats",
  "nats+core:": "@taskferry/nats",
  "nats+fanout:": "@taskferry/nats",
  "sqlite:": "@taskferry/sqlite",
};

/** One broker for each `memory:` URL of this process: a URL in a client and the same in a worker must meet. */
const memoryBrokers = new Map<string, Broker>();

/**
 * Makes what a URL names: by the configuration's own schemes, else by the package of its scheme, loaded from the user's
 * project. `sqlite:` paths become absolute from `root`.
 *
 * @throws ConfigurationError `PACKAGE_MISSING`, `URL_INVALID`, `CONTRACT_MISMATCH`.
 */
export async function fromUrl<T>(kind: Kind, url: string, { root, schemes }: UrlContext): Promise<T> {
  const scheme = /^[a-z][a-z0-9+.-]*:/.exec(url)?.[0];
  if (scheme === undefined) {
    throw new ConfigurationError(
      "URL_INVALID",
      `Expected a URL such as "redis://host:6379" or "sqlite:.taskferry/queue.db", got ${JSON.stringify(redactUrl(url))}.`,
    );
  }
  if (scheme === "memory:" && schemes?.[kind]?.[scheme] === undefined) return fromMemory(kind, url) as T;
  const make = schemes?.[kind]?.[scheme] ?? (await loadSchemes(scheme, root))[kind]?.[scheme];
  if (make === undefined)
    throw new ConfigurationError(
      "URL_INVALID",
      `${packages[scheme]} offers no ${kindNames[kind]} for the scheme "${scheme}".`,
    );
  try {
    return make(scheme === "sqlite:" ? absolutePath(url, root) : url) as T;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new ConfigurationError(
      "URL_INVALID",
      `The URL ${redactUrl(url)} cannot be read: expected scheme://user:password@host:port/path?option=value.`,
      { cause },
    );
  }
}

/** A URL without its credentials and query, for logs and errors. */
export function redactUrl(url: string): string {
  return url.replace(/\/\/.*@/s, "//***@").replace(/\?.*$/s, "");
}

function absolutePath(url: string, root: string): string {
  const [path = "", query] = url.slice("sqlite:".length).split("?", 2);
  if (path === "") return url;
  return `sqlite:${resolve(root, path.replace(/^\/\/(?=\/)/, ""))}${query === undefined ? "" : `?${query}`}`;
}

function fromMemory(kind: Kind, url: string): unknown {
  const broker = memoryBrokers.get(url) ?? memory();
  memoryBrokers.set(url, broker);
  if (kind === "brokers") return broker;
  return kind === "results" ? broker.companions?.results?.() : broker.companions?.state?.();
}

async function loadSchemes(scheme: string, root: string): Promise<UrlSchemes> {
  const name = packages[scheme];
  if (name === undefined) {
    const known = ["memory:", ...Object.keys(packages)].join(" ");
    throw new ConfigurationError(
      "URL_INVALID",
      `The scheme "${scheme}" is not known. Known: ${known}; others go into \`schemes\` of the configuration.`,
    );
  }
  const module = (await import(pathToFileURL(findPackage(name, { scheme, root })).href)) as {
    readonly schemes?: UrlSchemes;
  };
  if (module.schemes !== undefined) return module.schemes;
  throw new ConfigurationError(
    "CONTRACT_MISMATCH",
    `${name} exports no \`schemes\`: its version does not fit this @taskferry/core. Update both.`,
  );
}

function findPackage(name: string, { scheme, root }: { readonly scheme: string; readonly root: string }): string {
  try {
    return createRequire(join(root, "package.json")).resolve(name);
  } catch (cause) {
    throw new ConfigurationError(
      "PACKAGE_MISSING",
      `A "${scheme}" URL needs the package ${name}, which is not installed in ${root}. Run: npm install ${name}`,
      { cause },
    );
  }
}
