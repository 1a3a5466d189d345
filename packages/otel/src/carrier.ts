import { type Context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import type { Message } from "@taskferry/core";

const headerName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;

/** The message with a context in its headers: W3C Trace Context in those of its own, all else among the user's. */
export function carry(message: Message, context: Context): Message {
  const carrier: Record<string, string> = {};
  propagation.inject(context, carrier);
  const { traceparent, tracestate, ...others } = carrier;
  const kept = Object.entries(others).filter(([name, value]) => headerName.test(name) && typeof value === "string");
  return {
    ...message,
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
    ...(kept.length > 0 && { headers: { ...message.headers, ...Object.fromEntries(kept) } }),
  };
}

/** The context that {@link carry} put there. */
export function uncarry({ traceparent, tracestate, headers }: Message): Context {
  return propagation.extract(ROOT_CONTEXT, {
    ...headers,
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
  });
}
