import type { ConsumeMessage, MessageProperties } from "amqplib";

/** How often a message was delivered before this copy of it was published. */
const deliveriesHeader = "taskferry-deliveries";
const reasonHeader = "taskferry-reason";

type Headers = Readonly<Record<string, unknown>>;

function headersOf({ headers }: MessageProperties): Headers {
  return (headers as Headers | undefined) ?? {};
}

/** How often it was delivered before, released copies not counted. */
export function deliveriesBefore({ fields, properties }: ConsumeMessage): number {
  if (properties.headers === undefined) return fields.redelivered ? 1 : 0;
  const headers = headersOf(properties);
  return countOf(headers["x-delivery-count"]) + countOf(headers[deliveriesHeader]);
}

export function withDeliveries(count: number): { readonly headers?: Headers } {
  return count === 0 ? {} : { headers: { [deliveriesHeader]: count } };
}

export function withReason(reason: string): { readonly headers: Headers } {
  return { headers: { [reasonHeader]: reason } };
}

export function reasonIn(properties: MessageProperties): string | undefined {
  const reason = headersOf(properties)[reasonHeader];
  return typeof reason === "string" ? reason : undefined;
}

/** What the server wrote of why it moved a message here. */
export function deathIn(properties: MessageProperties): { readonly reason: string; readonly at: number } | undefined {
  const deaths = headersOf(properties)["x-death"];
  const last = Array.isArray(deaths) ? (deaths as readonly unknown[]).find(isDeath) : undefined;
  return last === undefined ? undefined : { reason: last.reason, at: last.time.value * 1_000 };
}

interface Death {
  readonly reason: string;
  readonly time: { readonly value: number };
}

/** The levels of delays write theirs too. */
function isDeath(value: unknown): value is Death {
  if (typeof value !== "object" || value === null) return false;
  const { reason, time } = value as { readonly reason?: unknown; readonly time?: { readonly value?: unknown } };
  return typeof reason === "string" && reason !== "expired" && typeof time?.value === "number";
}

function countOf(value: unknown): number {
  return typeof value === "number" && value > 0 ? value : 0;
}
