import { BrokerError, ConfigurationError, isTaskferryError, type TaskferryError } from "@taskferry/core";

/** What a failed call means for whoever made it. */
export type Fault =
  /** The server refuses these credentials, or this user may not do it: no repetition helps. */
  | "denied"
  /** There is no such queue, exchange or virtual host. */
  | "missing"
  /** Something is declared already, and otherwise. */
  | "mismatch"
  /** A worker held a delivery for longer than the server allows. */
  | "held too long"
  /** Somebody else has it for himself. */
  | "locked"
  /** The connection broke, or the server is not ready: the same call may succeed later. */
  | "passing";

export function classify(error: unknown): Fault {
  const text = error instanceof Error ? error.message : String(error);
  if (/ACCESS[-_]REFUSED.*exclusive use|RESOURCE[-_]LOCKED/.test(text)) return "locked";
  if (/ACCESS[-_]REFUSED|403 |NOT_ALLOWED - access to vhost|SASL mechanism/.test(text)) return "denied";
  if (/NOT_ALLOWED - vhost .* not found|NOT[-_]FOUND/.test(text)) return "missing";
  if (/inequivalent arg/.test(text)) return "mismatch";
  if (/delivery acknowledgement on channel .* timed out/.test(text)) return "held too long";
  return "passing";
}

/** Refused credentials, permissions or names: nothing to wait for. */
class RefusedError extends BrokerError {
  override readonly retryable = false;
}

/** An error of the driver as one of ours. The driver's own may carry the connection's options, so it is reduced to its text. */
export function toBrokerError(error: unknown, address: string): TaskferryError {
  if (isTaskferryError(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  const cause = new Error(text);
  switch (classify(error)) {
    case "denied":
      return new RefusedError(
        "BROKER_UNAVAILABLE",
        `RabbitMQ at ${address} refuses this user: ${text}. Check user name, password, virtual host and permissions.`,
        { cause },
      );
    case "missing":
      return new RefusedError(
        "BROKER_UNAVAILABLE",
        `RabbitMQ at ${address} has no such thing: ${text}. Declare it, or set \`declare\` to true.`,
        { cause },
      );
    case "mismatch":
      return explainMismatch(text, address);
    case "held too long":
    case "locked":
    case "passing":
      return new BrokerError(
        "BROKER_UNAVAILABLE",
        `RabbitMQ at ${address} cannot be reached or does not answer: ${text}`,
        { cause },
      );
  }
}

const difference =
  /inequivalent arg '([^']+)' for (queue|exchange) '([^']+)' in vhost '([^']*)': received (.+?) but current is (.+?)"?$/;
const optionOf: Readonly<Record<string, string>> = {
  "x-delivery-limit": "deliveryLimit",
  "x-max-length": "maxLength",
};

/** Says what differs between what is there and what was asked for. */
function explainMismatch(text: string, address: string): ConfigurationError {
  const [, argument = "", kind = "queue", name = "", vhost = "", wanted = "", found = ""] =
    difference.exec(text.replace(/\s+/g, " ").trim()) ?? [];
  const option = optionOf[argument];
  const remedy = [
    option === undefined ? undefined : `set \`${option}\` to what is there`,
    "set `declare` to false to take it as it is",
    `delete the ${kind} once it is empty`,
  ].filter((part) => part !== undefined);
  return new ConfigurationError(
    "CONFIGURATION_INVALID",
    `The ${kind} "${name}" of virtual host "${vhost}" of RabbitMQ at ${address} is declared otherwise: expected ${argument} to be ${wanted}, found ${found}. Either ${remedy.join(", or ")}.`,
    { cause: new Error(text) },
  );
}

/** Whether waiting does not help. */
export function isFinal(error: unknown): boolean {
  return isTaskferryError(error) ? !error.retryable : ["denied", "missing", "mismatch"].includes(classify(error));
}
